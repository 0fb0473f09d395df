//! Workflows saved: by administrators over the API, or at the console.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    actor::Actor,
    id::EventId,
    permission,
    refusal::Refusal,
    workflow::{
        Change, Definition, Draft, Fault, Numbers, Revised, Status, add_status, parse, parse_draft,
        retire_status, revise,
    },
};

use crate::{
    app::{App, World},
    error::{Error, Result},
    store::{
        Store, Tx,
        workflow::{self, Stored},
    },
};

/// The most workflows of one installation.
const MOST: i64 = 100;

/// What somebody wants of a workflow.
#[derive(Clone, Debug)]
pub enum Edit {
    /// That it is as this text says; a new one, if its code is new.
    Definition(String),
    /// That the workflow of this code is as it is, but for a status.
    Status(String, StatusEdit),
}

/// What somebody wants of one status.
#[derive(Clone, Debug)]
pub enum StatusEdit {
    /// That it is there.
    Add {
        /// The status.
        status: Box<Status>,
        /// The status it is listed behind; last, if none.
        after: Option<String>,
    },
    /// That no order gets into it any more.
    Retire {
        /// Its code.
        code: String,
    },
}

/// An edit whose text has been read, if it has one.
enum Read {
    Draft(Box<Draft>),
    Status(String, StatusEdit),
}

/// What a save may carry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Refuse if the newest version of the workflow is another one.
    pub expected: Numbers,
    /// Only say what would come of it.
    pub dry_run: bool,
}

/// Saves a workflow. This process knows it at once, others when the log tells them.
///
/// # Errors
/// FORBIDDEN; INVALID_DEFINITION with all faults at once; WORKFLOW_CONFLICT; NOT_FOUND, VALIDATION.
pub async fn save(app: &App, actor: &Actor, edit: Edit, terms: Terms) -> Result<Revised> {
    if !permission::may_save_workflows(actor) {
        return Err(Error::Forbidden);
    }
    let saved = store(&app.store, &app.world, edit, terms).await?;
    if saved.change != Change::Nothing && !terms.dry_run {
        // It is saved, whatever happens now; and the log tells this process, too.
        if let Err(error) = app.book.read_again(&app.store).await {
            tracing::error!(error = ?error, "the workflows could not be read again; trying again");
        }
        app.feed.ring();
    }
    Ok(saved)
}

/// Saves a workflow, for whoever holds the database; no process is told but by the log.
///
/// # Errors
/// As [`save`], but FORBIDDEN.
pub async fn store(store: &Store, world: &Arc<dyn World>, edit: Edit, terms: Terms) -> Result<Revised> {
    let read = match edit {
        Edit::Definition(text) => Read::Draft(Box::new(parse_draft(&text).map_err(invalid)?)),
        Edit::Status(workflow, edit) => Read::Status(workflow, edit),
    };
    let mut mint = world.mint();
    store
        .write(async move |tx| {
            let revised = decide(&tx, read, terms.expected).await?;
            if revised.change != Change::Nothing && !terms.dry_run {
                let noted: EventId = mint.id();
                tx.save_workflow(stored(&revised.definition)?, noted, mint.now()).await?;
            }
            Ok(revised)
        })
        .await
}

fn invalid(faults: Vec<Fault>) -> Error {
    Refusal::InvalidDefinition { faults }.into()
}

/// What the edit comes to, while nobody else saves the workflow.
async fn decide(tx: &Tx, read: Read, expected: Numbers) -> Result<Revised> {
    let code = match &read {
        Read::Draft(draft) => &draft.definition.code,
        Read::Status(code, _) => code,
    };
    tx.lock_workflow(code).await?;
    let current = newest(tx, code).await?;
    let draft = match read {
        Read::Draft(draft) => *draft,
        Read::Status(_, edit) => {
            let current = current.as_ref().ok_or(Refusal::NotFound { what: "workflow" })?;
            Draft { definition: edited(current, edit)?, stated: Numbers::default() }
        }
    };
    if current.is_none() && workflow::count(tx).await? >= MOST {
        let message = format!("at most {MOST} workflows are allowed");
        return Err(invalid(vec![Fault { place: "code".to_owned(), message }]));
    }
    let in_use = match &current {
        Some(current) => in_use(tx, current, &draft.definition).await?,
        None => BTreeMap::new(),
    };
    Ok(revise(current.as_ref(), draft, expected, &in_use)?)
}

/// The newest version, as it is stored.
async fn newest(tx: &Tx, code: &str) -> Result<Option<Definition>> {
    let stored = workflow::find(tx, code, None).await?;
    let read = stored.map(|stored| parse(&stored.definition)).transpose();
    read.map_err(|faults| Error::internal(format!("the stored workflow {code} has faults: {faults:?}")))
}

fn edited(current: &Definition, edit: StatusEdit) -> Result<Definition> {
    Ok(match edit {
        StatusEdit::Add { status, after } => add_status(current, *status, after.as_deref())?,
        StatusEdit::Retire { code } => retire_status(current, &code)?,
    })
}

/// How many orders stand in the statuses that would go.
async fn in_use(tx: &Tx, current: &Definition, new: &Definition) -> Result<BTreeMap<String, i64>> {
    let codes = current.statuses.iter().map(|status| status.code.as_str());
    let gone: Vec<&str> = codes.filter(|code| new.status(code).is_none()).collect();
    workflow::in_use(tx, (&current.code, current.version as i32), &gone).await
}

fn stored(definition: &Definition) -> Result<Stored> {
    Ok(Stored {
        code: definition.code.clone(),
        version: definition.version as i32,
        revision: definition.revision as i32,
        definition: definition.to_toml().map_err(|error| Error::Internal(error.into()))?,
    })
}
