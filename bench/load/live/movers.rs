//! Those who move orders: kept connections, each with orders of its own, so that nobody waits for another's
//! lock.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use domain::id::OrderId;
use serde_json::{Value, json};
use tokio::time::sleep_until;

use super::ledger::Acknowledged;
use crate::{generator::Line, workload::post};

const TRANSITION: &str = "mutation ($order: ID!, $to: String!) { orderTransition(input: { order: $order, \
    action: \"set_status\", to: $to }) { event { version } errors { code } } }";
/// An order goes to and fro.
const STATUSES: [&str; 2] = ["processing", "pending"];

/// Connections that move orders.
pub struct Movers {
    movers: Vec<Mover>,
}

struct Mover {
    line: Line,
    token: Arc<str>,
    orders: Vec<OrderId>,
    next: usize,
}

impl Movers {
    /// Shares pending orders out among so many connections.
    pub fn new(address: SocketAddr, token: &str, orders: &[OrderId], connections: usize) -> Movers {
        let mover = |n| {
            let orders = orders.iter().skip(n).step_by(connections).copied().collect();
            Mover { line: Line::to(address), token: token.into(), orders, next: 0 }
        };
        Movers { movers: (0..connections).map(mover).collect() }
    }

    /// Moves one order.
    pub async fn one(&mut self) -> Result<Acknowledged> {
        self.movers.first_mut().context("nobody moves anything")?.step().await
    }

    /// Moves orders for so long: so many a second, or as many as can be. In the order of the answers.
    pub async fn run(&mut self, rate: Option<f64>, length: Duration) -> Result<Vec<Acknowledged>> {
        let (begun, ticks) = (Instant::now(), Arc::new(AtomicU32::new(0)));
        let mut tasks = Vec::new();
        for mut mover in self.movers.drain(..) {
            let ticks = ticks.clone();
            tasks.push(tokio::spawn(async move {
                let mut moved = Vec::new();
                loop {
                    let due = rate.map_or(begun.elapsed(), |rate| {
                        Duration::from_secs_f64(f64::from(ticks.fetch_add(1, Ordering::Relaxed)) / rate)
                    });
                    if due >= length {
                        return Ok::<_, anyhow::Error>((mover, moved));
                    }
                    if rate.is_some() {
                        sleep_until((begun + due).into()).await;
                    }
                    moved.push(mover.step().await?);
                }
            }));
        }
        let mut all = Vec::new();
        for task in tasks {
            let (mover, moved) = task.await??;
            self.movers.push(mover);
            all.extend(moved);
        }
        all.sort_by_key(|moved| moved.answered);
        Ok(all)
    }
}

impl Mover {
    async fn step(&mut self) -> Result<Acknowledged> {
        let count = self.orders.len().max(1);
        let order = self.orders.get(self.next % count).context("there is no order to move")?.to_string();
        let to = STATUSES[self.next / count % STATUSES.len()];
        self.next += 1;
        let request = post(Some(&self.token), TRANSITION, &json!({ "order": order, "to": to }));
        let connection = self.line.ready().await?;
        let sent = Instant::now();
        let answer = connection.ask(&request).await?;
        let answered = Instant::now();
        let read: Value = serde_json::from_slice(answer)?;
        match read["data"]["orderTransition"]["event"]["version"].as_i64() {
            Some(version) => Ok(Acknowledged { order, version, sent, answered }),
            None => bail!("a transition was refused: {read}"),
        }
    }
}
