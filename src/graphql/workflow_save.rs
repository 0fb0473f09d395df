//! Saving workflows, for administrators.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use domain::workflow::{self, Fault, Numbers, Revised, Status};

use super::{
    failure::Result,
    viewer::session,
    workflow::{StatusCategory, Workflow},
    workflow_refused::{Input, WorkflowError},
};
use crate::{
    app::App,
    error::Error,
    usecase::workflow::{Edit, StatusEdit, Terms, save},
};

/// What a save came to. Nobody chooses: the definition is compared with the one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "workflow::Change")]
pub enum WorkflowChange {
    /// It was so already.
    Nothing,
    /// Something was added, or reads otherwise: all orders of the version see it at once.
    Revision,
    /// A rule was removed or changed, or the workflow is new: orders keep the version that they have.
    Version,
}

/// Saves a workflow as a whole; a new one, if its code is new.
#[derive(Clone, Debug, InputObject)]
pub struct WorkflowSaveInput {
    /// The definition in TOML, as `Workflow.definition` has it; at most 256 KiB. Its `version` and `revision` may
    /// be left out. If they are there they are the workflow's own, or those that the save leads to.
    pub definition: String,
    /// Refuse if the newest version is another one.
    pub expected_version: Option<i32>,
    /// Refuse if it has another revision.
    pub expected_revision: Option<i32>,
    /// Only say what would come of it.
    #[graphql(default)]
    pub dry_run: bool,
}

/// Adds a status to the newest version of a workflow. Where orders move along transitions alone it needs some,
/// and `workflowSave` adds them together.
#[derive(Clone, Debug, InputObject)]
pub struct WorkflowAddStatusInput {
    /// The workflow's code.
    pub workflow: String,
    /// The status's code: a-z, 0-9 and _, at most 40.
    pub code: String,
    /// What people call it.
    pub label: String,
    /// What it means.
    pub category: StatusCategory,
    /// The colour for lists, `#rrggbb`.
    pub color: String,
    /// Whether nothing leads out of it.
    #[graphql(default)]
    pub is_final: bool,
    /// Whether orders in it can still be edited.
    #[graphql(default)]
    pub editable: bool,
    /// After how many minutes an order in it counts as stalled; never if not given.
    pub stalls_after: Option<i32>,
    /// The code that buyers see instead; beside a `publicLabel`.
    pub public_code: Option<String>,
    /// The label that buyers see instead.
    pub public_label: Option<String>,
    /// The status behind which it is listed; last if not given.
    pub after: Option<String>,
    /// Refuse if the newest version is another one.
    pub expected_version: Option<i32>,
    /// Refuse if it has another revision.
    pub expected_revision: Option<i32>,
}

/// Retires a status of the newest version of a workflow: no order gets into it any more. Those that are in it keep
/// its label and their ways out.
#[derive(Clone, Debug, InputObject)]
pub struct WorkflowRetireStatusInput {
    /// The workflow's code.
    pub workflow: String,
    /// The status's code.
    pub code: String,
    /// Refuse if the newest version is another one.
    pub expected_version: Option<i32>,
    /// Refuse if it has another revision.
    pub expected_revision: Option<i32>,
}

/// A workflow that was saved.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkflowSavePayload {
    /// The workflow as it is now, or would be; null when it was refused.
    workflow: Option<Workflow>,
    /// What came of it, or would come; null when it was refused.
    change: Option<WorkflowChange>,
    /// The rules that were removed or changed, each with its place, which made this another version.
    changed_rules: Vec<String>,
    /// Why it was refused, every fault at once; empty on success.
    errors: Vec<WorkflowError>,
}

/// A workflow that has one more status.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkflowAddStatusPayload {
    /// The workflow as it is now; null when it was refused.
    workflow: Option<Workflow>,
    /// What came of it; null when it was refused.
    change: Option<WorkflowChange>,
    /// Why it was refused, every fault at once; empty on success.
    errors: Vec<WorkflowError>,
}

/// A workflow of which a status was retired.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkflowRetireStatusPayload {
    /// The workflow as it is now; null when it was refused.
    workflow: Option<Workflow>,
    /// What came of it; null when it was refused.
    change: Option<WorkflowChange>,
    /// Why it was refused, every fault at once; empty on success.
    errors: Vec<WorkflowError>,
}

/// What payloads tell.
#[derive(Default)]
struct Saved {
    workflow: Option<Workflow>,
    change: Option<WorkflowChange>,
    changed_rules: Vec<String>,
    errors: Vec<WorkflowError>,
}

/// Saving workflows.
#[derive(Debug, Default)]
pub struct WorkflowMutation;

#[Object]
impl WorkflowMutation {
    /// Saves a workflow; for administrators. What only adds to it is another revision of its version, what removes
    /// or changes a rule another version.
    async fn workflow_save(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: WorkflowSaveInput,
    ) -> Result<WorkflowSavePayload> {
        let expected = expected(input.expected_version, input.expected_revision)?;
        let terms = Terms { expected, dry_run: input.dry_run };
        let saved = carry_out(ctx, Edit::Definition(input.definition), terms, &Input::Definition).await?;
        let Saved { workflow, change, changed_rules, errors } = saved;
        Ok(WorkflowSavePayload { workflow, change, changed_rules, errors })
    }

    /// Adds a status to a workflow; for administrators. Orders can use it at once.
    async fn workflow_add_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which status, of which workflow.")] input: WorkflowAddStatusInput,
    ) -> Result<WorkflowAddStatusPayload> {
        let expected = expected(input.expected_version, input.expected_revision)?;
        let status = Status {
            code: input.code.clone(),
            label: input.label,
            category: input.category.into(),
            color: input.color,
            initial: false,
            is_final: input.is_final,
            editable: input.editable,
            stalls_after_min: input.stalls_after.map(|minutes| u32::try_from(minutes).unwrap_or(0)),
            public_code: input.public_code,
            public_label: input.public_label,
            retired: false,
            expires: None,
        };
        let edit = StatusEdit::Add { status: Box::new(status), after: input.after };
        let terms = Terms { expected, dry_run: false };
        let saved =
            carry_out(ctx, Edit::Status(input.workflow, edit), terms, &Input::Status(input.code)).await?;
        Ok(WorkflowAddStatusPayload { workflow: saved.workflow, change: saved.change, errors: saved.errors })
    }

    /// Retires a status of a workflow; for administrators. Saving the definition without `retired` takes it back.
    async fn workflow_retire_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which status, of which workflow.")] input: WorkflowRetireStatusInput,
    ) -> Result<WorkflowRetireStatusPayload> {
        let expected = expected(input.expected_version, input.expected_revision)?;
        let edit = StatusEdit::Retire { code: input.code.clone() };
        let terms = Terms { expected, dry_run: false };
        let saved =
            carry_out(ctx, Edit::Status(input.workflow, edit), terms, &Input::Status(input.code)).await?;
        Ok(WorkflowRetireStatusPayload {
            workflow: saved.workflow,
            change: saved.change,
            errors: saved.errors,
        })
    }
}

async fn carry_out(ctx: &Context<'_>, edit: Edit, terms: Terms, input: &Input) -> Result<Saved> {
    let actor = session(ctx)?.actor();
    match save(ctx.data_unchecked::<App>(), actor, edit, terms).await {
        Ok(Revised { definition, change, changed }) => Ok(Saved {
            workflow: Some(Workflow::of(Arc::new(definition), actor)),
            change: Some(change.into()),
            changed_rules: changed.iter().map(Fault::to_string).collect(),
            errors: Vec::new(),
        }),
        Err(error) => Ok(Saved { errors: WorkflowError::expect(error, input)?, ..Saved::default() }),
    }
}

fn expected(version: Option<i32>, revision: Option<i32>) -> Result<Numbers> {
    let number = |number: Option<i32>, path: &'static str| {
        let wrong = |_| Error::bad_input(path, "versions and revisions count from 1");
        number.map(u32::try_from).transpose().map_err(wrong)
    };
    let version = number(version, "input.expectedVersion")?;
    Ok(Numbers { version, revision: number(revision, "input.expectedRevision")? })
}
