//! Orders moved to another version of their workflow.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use domain::order::Step;

use super::{
    failure::Result,
    job::{Job, JobError},
    viewer::session,
};
use crate::{
    app::App,
    usecase::migrate::{Count, Migration, Preview, migrate_orders},
};

/// Where orders in one status go.
#[derive(Clone, Debug, InputObject)]
pub struct StatusStepInput {
    /// A status of the version that is left, by code.
    pub from: String,
    /// A status of the version that is entered, by code.
    pub to: String,
}

/// Moves orders to another version of their workflow.
#[derive(Clone, Debug, InputObject)]
pub struct WorkflowMigrateOrdersInput {
    /// The workflow's code.
    pub workflow: String,
    /// The version that the orders follow.
    pub from_version: i32,
    /// The version that they will follow.
    pub to_version: i32,
    /// Where statuses go. One that is not named keeps its code.
    #[graphql(default)]
    pub mapping: Vec<StatusStepInput>,
    /// Say what would happen, and write nothing.
    #[graphql(default)]
    pub preview: bool,
}

/// The orders in one status, before a migration.
#[derive(Clone, Debug, SimpleObject)]
pub struct MigrationCount {
    /// The status's code.
    status: String,
    /// The status that they will stand in; null if the mapping does not say.
    target: Option<String>,
    /// How many.
    orders: i32,
}

impl From<Count> for MigrationCount {
    fn from(Count { status, target, orders }: Count) -> MigrationCount {
        MigrationCount { status, target, orders: i32::try_from(orders).unwrap_or(i32::MAX) }
    }
}

/// What a migration will do.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkflowMigrateOrdersPayload {
    /// The job that does it; null for a preview, and when it was refused.
    job: Option<Job>,
    /// How many orders there are now, by status; deleted ones too.
    counts: Vec<MigrationCount>,
    /// Everything that is wrong with it; empty on success.
    errors: Vec<JobError>,
}

/// Moving orders to another version of their workflow.
#[derive(Debug, Default)]
pub struct MigrateMutation;

#[Object]
impl MigrateMutation {
    /// Moves all orders that follow one version of a workflow to another one: at once in a preview, which writes
    /// nothing; else as a job. Nothing happens to them but that. Orders that the rules refuse stay, and are listed
    /// with the job. For administrators.
    async fn workflow_migrate_orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From where to where.")] input: WorkflowMigrateOrdersInput,
    ) -> Result<WorkflowMigrateOrdersPayload> {
        let actor = session(ctx)?.actor();
        let mapping = input.mapping.into_iter().map(|step| Step { from: step.from, to: step.to });
        let migration = Migration {
            workflow: input.workflow,
            from: input.from_version,
            to: input.to_version,
            mapping: mapping.collect(),
        };
        let app = ctx.data_unchecked::<App>();
        let (Preview { counts, faults }, job) = migrate_orders(app, actor, &migration, input.preview).await?;
        let errors = faults.into_iter().map(|fault| JobError::expect(fault.into()));
        Ok(WorkflowMigrateOrdersPayload {
            job: job.map(Job::single),
            counts: counts.into_iter().map(MigrationCount::from).collect(),
            errors: errors.collect::<Result<_>>()?,
        })
    }
}
