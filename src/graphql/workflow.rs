//! Workflows: statuses, transitions, and their diagram.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject, Value, resolver_utils::enum_value};
use domain::{actor::Actor, permission, workflow};

use super::{
    at_hand::{Asked, Plain},
    failure::Result,
    viewer::session,
};
use crate::{app::App, error::Error};

/// What a status means to totals, filters and clients, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "workflow::Category")]
pub enum StatusCategory {
    /// Not submitted yet.
    Draft,
    /// Waits for somebody.
    Pending,
    /// Is being worked on.
    InProgress,
    /// Ended well.
    Succeeded,
    /// Went wrong; may be retried.
    Failed,
    /// Ended without delivery.
    Cancelled,
    /// All obligations are met.
    Closed,
    /// Kept for history; not in lists unless asked for.
    Archived,
}

/// A status of a workflow. To buyers it is the public status, wherever it appears.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderStatus {
    /// The status's code; unique within the workflow.
    pub code: String,
    /// What people call it.
    pub label: String,
    /// What it means.
    pub category: StatusCategory,
    /// The colour for lists, `#rrggbb`.
    pub color: String,
    /// Whether no action leads out of it.
    pub is_final: bool,
    /// Whether no order gets here any more; to buyers, who see what orders have come to, never.
    pub is_retired: bool,
}

impl OrderStatus {
    /// A status as somebody sees it who is, or is not, shown internal statuses.
    pub fn of(definition: &workflow::Definition, code: &str, internal: bool) -> OrderStatus {
        match definition.status(code) {
            Some(status) => {
                let shown = if internal { status } else { definition.face(status) };
                OrderStatus {
                    code: if internal { &shown.code } else { status.public_code() }.to_owned(),
                    label: if internal { &shown.label } else { status.public_label() }.to_owned(),
                    category: shown.category.into(),
                    color: shown.color.clone(),
                    is_final: shown.is_final,
                    is_retired: internal && shown.retired,
                }
            }
            None => OrderStatus::unknown(code),
        }
    }

    /// A status that the workflow no longer has: only the history of old orders names it.
    pub fn unknown(code: &str) -> OrderStatus {
        OrderStatus {
            code: code.to_owned(),
            label: code.to_owned(),
            category: StatusCategory::Archived,
            color: "#888888".to_owned(),
            is_final: true,
            is_retired: true,
        }
    }
}

impl Plain for OrderStatus {
    fn plain(&self, field: &Asked) -> Option<Value> {
        Some(match field.name.node.as_str() {
            "code" => self.code.as_str().into(),
            "label" => self.label.as_str().into(),
            "category" => enum_value(self.category),
            "color" => self.color.as_str().into(),
            "isFinal" => self.is_final.into(),
            "isRetired" => self.is_retired.into(),
            _ => return None,
        })
    }
}

/// One way through a workflow.
#[derive(Clone, Debug, SimpleObject)]
pub struct WorkflowTransition {
    /// The action's name, for `orderTransition`.
    pub action: String,
    /// What people call it.
    pub label: String,
    /// The statuses it starts from.
    pub from: Vec<String>,
    /// Where it leads: a status's code, or `@failed_stage`, `@chosen`, `@gone`.
    pub to: String,
    /// The roles that may take it.
    pub by: Vec<String>,
    /// The condition under which it is open.
    pub when: Option<String>,
    /// Whether it is taken by itself, and once what holds.
    pub auto: Option<String>,
    /// What the caller supplies: `reason`, `error`, `number`.
    pub needs: Vec<String>,
    /// What else happens in the same transaction.
    pub effects: Vec<String>,
}

/// A named set of statuses and transitions. A product names the workflow that its orders follow.
#[derive(Clone, Debug)]
pub struct Workflow {
    definition: Arc<workflow::Definition>,
    internal: bool,
    written: bool,
}

impl Workflow {
    /// A version of a workflow, as somebody sees it.
    pub fn of(definition: Arc<workflow::Definition>, actor: &Actor) -> Workflow {
        let internal = permission::Field::InternalStatus.shows(actor.roles());
        Workflow { definition, internal, written: permission::reads_definitions(actor) }
    }
}

/// A named set of statuses and transitions. A product names the workflow that its orders follow.
#[Object]
impl Workflow {
    /// The workflow's code.
    async fn code(&self) -> &str {
        &self.definition.code
    }

    /// What people call it.
    async fn label(&self) -> &str {
        &self.definition.label
    }

    /// What it is for.
    async fn description(&self) -> &str {
        &self.definition.description
    }

    /// Grows when a rule is removed or changed; orders keep the version they started with.
    async fn version(&self) -> u32 {
        self.definition.version
    }

    /// Grows when something is added within a version.
    async fn revision(&self) -> u32 {
        self.definition.revision
    }

    /// The statuses; to buyers the public ones, each once.
    async fn statuses(&self) -> Vec<OrderStatus> {
        let mut seen: Vec<OrderStatus> = Vec::new();
        for status in &self.definition.statuses {
            let status = OrderStatus::of(&self.definition, &status.code, self.internal);
            if seen.iter().all(|other| other.code != status.code) {
                seen.push(status);
            }
        }
        seen
    }

    /// The transitions, in the order in which they are tried; for the operator and providers.
    async fn transitions(&self) -> Vec<WorkflowTransition> {
        if !self.internal {
            return Vec::new();
        }
        let open = self.definition.transitions.iter().filter(|row| !self.definition.is_closed(row));
        open.map(|row| transition(&self.definition, row)).collect()
    }

    /// The workflow as a Mermaid state diagram; for the operator and providers.
    async fn diagram(&self) -> Option<String> {
        self.internal.then(|| workflow::mermaid(&self.definition))
    }

    /// The workflow as it is written, in TOML, with its version and revision: `workflowSave` takes it back. For
    /// staff.
    async fn definition(&self) -> Option<Result<String>> {
        let text = self.written.then(|| self.definition.to_toml())?;
        Some(text.map_err(|error| Error::Internal(error.into()).into()))
    }
}

fn transition(definition: &workflow::Definition, row: &workflow::Transition) -> WorkflowTransition {
    let statuses = definition.statuses.iter().map(|status| status.code.clone());
    WorkflowTransition {
        action: row.action.clone(),
        label: row.label.clone(),
        from: statuses.filter(|code| definition.rows(&row.action, code).any(|other| other == row)).collect(),
        to: match &row.to {
            workflow::Target::Status(code) => code.clone(),
            workflow::Target::FailedStage => "@failed_stage".to_owned(),
            workflow::Target::Chosen => "@chosen".to_owned(),
            workflow::Target::Gone => "@gone".to_owned(),
        },
        by: row.by.iter().map(|role| role.name().to_owned()).collect(),
        when: row.when.map(|guard| guard.name().to_owned()),
        auto: row.auto.map(|guard| guard.name().to_owned()),
        needs: row.needs.iter().map(|need| need.name().to_owned()).collect(),
        effects: row.effects.iter().map(|effect| effect.name().to_owned()).collect(),
    }
}

/// Reading workflows.
#[derive(Debug, Default)]
pub struct WorkflowQuery;

#[Object]
impl WorkflowQuery {
    /// The newest version of every workflow.
    async fn workflows(&self, ctx: &Context<'_>) -> Result<Vec<Workflow>> {
        let actor = session(ctx)?.actor();
        let book = ctx.data_unchecked::<App>().book.now();
        Ok(book.all().map(|definition| Workflow::of(definition.clone(), actor)).collect())
    }

    /// One workflow: the newest version, or the one that is asked for.
    async fn workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The workflow's code.")] code: String,
        #[graphql(desc = "Its version; the newest if not given.")] version: Option<i32>,
    ) -> Option<Result<Workflow>> {
        let actor = match session(ctx) {
            Ok(session) => session.actor(),
            Err(error) => return Some(Err(error.into())),
        };
        let book = &ctx.data_unchecked::<App>().book;
        let definition = match version {
            None => book.newest(&code)?,
            Some(version) => book.version(&code, version)?,
        };
        Some(Ok(Workflow::of(definition, actor)))
    }
}
