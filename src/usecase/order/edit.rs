//! Changes of what an order says; tried before, if wanted.

use domain::{
    actor::Actor,
    id::{OrderId, ProductId},
    order::{Change, Command, Decision, Edit, Head, LineEdit, Order, Setting, decide},
    permission,
    refusal::Refusal,
};

use super::{
    Done, Terms, Written, answer,
    change::{check_version, facts},
    claim, commit, distinct, replay, workflow,
};
use crate::{
    app::App,
    error::{Error, Result},
    store::{
        self, Tx, catalogue, order,
        people::{self, OrganizationKind},
    },
};

/// What an edit comes to.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The order as it is, or would be.
    pub head: Head,
    /// What changed, or would.
    pub changes: Vec<Change>,
    /// What was written; nothing when it was only tried.
    pub written: Option<Written>,
}

/// What a transaction ended with.
enum Ended {
    Written(Done),
    Tried(Box<(Head, Vec<Change>)>),
}

/// Changes what an order says, or says what that would change.
///
/// # Errors
/// NOT_FOUND; NOT_PERMITTED; GUARD_FAILED where it cannot be edited; VALIDATION, MIXED_ORDER, DUPLICATE_REFERENCE.
pub async fn edit(
    app: &App,
    actor: &Actor,
    order: OrderId,
    (edit, only_try): (Edit, bool),
    terms: Terms,
) -> Result<Edited> {
    let claim = match only_try {
        true => None,
        false => claim(app, actor, "order_update", &(order, terms.expected_version, &edit), &terms)?,
    };
    let (context, actor_) = (app.clone(), actor.clone());
    let ended = app.store.write(async move |tx| {
        if let Some(outcome) = replay(&tx, claim.as_ref(), context.world.now()).await? {
            return Ok(Ended::Written(Done::Before(outcome)));
        }
        let order = tx.orders(&actor_, &[order]).await?.pop();
        let order = order.ok_or(Refusal::NotFound { what: "order" })?;
        check_version(&order.head, terms.expected_version)?;
        let decision = decided(&context, &tx, &actor_, &order, edit).await?;
        match only_try {
            true => Ok(Ended::Tried(Box::new((decision.after().head.clone(), changes(&decision))))),
            false => Ok(Ended::Written(commit(&tx, claim.as_ref(), decision).await?)),
        }
    });
    match ended.await? {
        Ended::Tried(tried) => {
            let (head, changes) = *tried;
            Ok(Edited { head, changes, written: None })
        }
        Ended::Written(done) => {
            let written = answer(app, actor, done).await?;
            let (order, event) = (written.head.id, written.event.event.id);
            let edits = store::edit::of_orders(&app.store, &[order]).await?.remove(&order);
            let changes = edits.and_then(|mut edits| edits.remove(&event)).unwrap_or_default();
            Ok(Edited { head: written.head.clone(), changes, written: Some(written) })
        }
    }
}

fn changes(decision: &Decision) -> Vec<Change> {
    decision.edit().map(|(_, changes)| changes.clone()).unwrap_or_default()
}

async fn decided(app: &App, tx: &Tx, actor: &Actor, order: &Order, edit: Edit) -> Result<Decision> {
    let mut mint = app.world.mint();
    let workflow = workflow(app, tx, &order.head).await?;
    if let Some(customer) = edit.customer {
        let known = match permission::may_place_for(actor, customer) {
            true => people::organizations(tx, &[customer]).await?.remove(&customer),
            false => None,
        };
        let buys = |kind| matches!(kind, OrganizationKind::Company | OrganizationKind::Person);
        known.filter(|known| buys(known.kind)).ok_or(Refusal::NotFound { what: "customer" })?;
    }
    let mut facts = facts(tx, &workflow, order, mint.now()).await?;
    let added: Vec<ProductId> = distinct(edit.lines.iter().filter_map(|line| match line {
        LineEdit::Add { product, .. } => Some(*product),
        LineEdit::Change { .. } | LineEdit::Remove { .. } => None,
    }));
    facts.products.extend(catalogue::products(tx, &added).await?);
    let id = order.head.id;
    let particulars = order::particulars(tx, &[id]).await?.remove(&id);
    let particulars = particulars.ok_or_else(|| Error::internal("an order without particulars"))?;
    let command = Command::Edit { edit: Box::new(edit), particulars: Box::new(particulars) };
    Ok(decide(Setting { workflow: &workflow, actor, facts: &facts }, order, &command, &mut mint)?)
}
