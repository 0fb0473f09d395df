//! Orders removed for good.

use domain::{
    actor::Actor,
    id::OrderId,
    order::{Command, Facts, OrderNumber, Setting, decide},
    permission::Operation,
    refusal::Refusal,
};

use super::{Done, Terms, change::check_version, claim, commit, replay, workflow};
use crate::{app::App, error::Result};

/// Removes an order for good; whether that had happened before, under the same key.
///
/// # Errors
/// NOT_FOUND; NOT_PERMITTED; GUARD_FAILED while it is neither deleted nor where its workflow lets it go, while
/// somebody works on it, or while it holds payments; VALIDATION when the number is another.
pub async fn purge(
    app: &App,
    actor: &Actor,
    (order, number): (OrderId, OrderNumber),
    terms: Terms,
) -> Result<bool> {
    let claim = claim(app, actor, "order_purge", &(order, terms.expected_version, number), &terms)?;
    let (context, actor_) = (app.clone(), actor.clone());
    let done = app.store.write(async move |tx| {
        let mut mint = context.world.mint();
        if let Some(outcome) = replay(&tx, claim.as_ref(), mint.now()).await? {
            return Ok(Done::Before(outcome));
        }
        let order = tx.orders(&actor_, &[order]).await?.pop();
        let order = order.ok_or(Refusal::NotFound { what: "order" })?;
        check_version(&order.head, terms.expected_version)?;
        let workflow = workflow(&context, &*tx, &order.head).await?;
        let setting = Setting { workflow: &workflow, actor: &actor_, facts: &Facts::default() };
        let decision = decide(setting, &order, &Command::Purge { number }, &mut mint)?;
        commit(&tx, claim.as_ref(), decision).await
    });
    match done.await? {
        Done::Now(_) => {
            app.feed.ring();
            Ok(false)
        }
        // Nobody can see the order any more: what is left to look at is whether the caller still may do this.
        Done::Before(_) if actor.roles().meets(Operation::Purge.allowed()) => Ok(true),
        Done::Before(_) => Err(Refusal::NotFound { what: "order" }.into()),
    }
}
