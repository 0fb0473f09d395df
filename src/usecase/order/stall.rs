//! Orders that have rested in a status for too long.

use chrono::TimeDelta;
use domain::{
    actor::Actor,
    id::OrderId,
    order::{Rest, rest},
};

use super::workflow;
use crate::{
    app::App,
    error::Result,
    store::{self, order},
};

/// Orders per transaction.
const MOST: usize = 100;
/// After how long an order is looked at again whose workflow this process does not know.
const AGAIN: TimeDelta = TimeDelta::minutes(15);

/// Appends one STALLED event to each order that has rested in its status for longer than its workflow allows,
/// and says to how many. However many processes do so at once, each stay in a status is told once.
///
/// # Errors
/// The database's.
pub async fn sweep_stalled(app: &App) -> Result<usize> {
    let mut told = 0;
    loop {
        let resting = order::resting(&app.store, app.world.now(), MOST).await?;
        let more = resting.len() == MOST;
        if !resting.is_empty() {
            told += look_at(app, resting).await?;
            app.feed.ring();
        }
        if !more {
            return Ok(told);
        }
    }
}

/// Looks at these orders, locked, as they are now.
async fn look_at(app: &App, orders: Vec<OrderId>) -> Result<usize> {
    let context = app.clone();
    let looked = app.store.write(async move |tx| {
        let (mut stalled, mut later) = (Vec::new(), Vec::new());
        for order in tx.orders(&Actor::System, &orders).await? {
            let mut mint = context.world.mint();
            let at_rest = match workflow(&context, &*tx, &order.head).await {
                Ok(workflow) => rest(&order, &workflow, &mut mint),
                Err(_) => Rest::Until(Some(mint.now() + AGAIN)),
            };
            match at_rest {
                Rest::Stalled(decision) => stalled.push(*decision),
                Rest::Until(at) => later.push((order.head.id, at)),
            }
        }
        store::save(&tx, &stalled).await?;
        tx.look_again(&later).await?;
        Ok(stalled.len())
    });
    looked.await
}
