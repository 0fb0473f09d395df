//! A client that changes orders and does not give up: a lost answer is asked for again with the same key.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::id::{OrderId, OrganizationId, ProductId, UserId};
use serde_json::{Value, json};

use super::{
    check::Acknowledged,
    client::{Doors, Login, http},
    journal::Journal,
};

/// How long a write may take with all its attempts.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// A change that makes one event.
#[derive(Clone, Copy, Debug)]
pub enum Write {
    Create { customer: OrganizationId, product: ProductId },
    Move { order: OrderId, to: &'static str },
    Note { order: OrderId },
    Csr { order: OrderId, to: Option<UserId> },
    Agent { order: OrderId, to: Option<UserId> },
}

impl Write {
    /// The mutation, its input's type, and its input.
    fn request(self) -> (&'static str, &'static str, Value) {
        let text = |id: Option<UserId>| id.map(|id| id.to_string());
        match self {
            Write::Create { customer, product } => {
                let lines = json!([{ "product": product.to_string() }]);
                let input = json!({ "customer": { "id": customer.to_string() }, "lines": lines });
                ("orderCreate", "OrderCreateInput", input)
            }
            Write::Move { order, to } => {
                let input = json!({ "order": order.to_string(), "action": "set_status", "to": to });
                ("orderTransition", "OrderTransitionInput", input)
            }
            Write::Note { order } => {
                let input = json!({ "order": order.to_string(), "body": "Called", "audience": "PUBLIC" });
                ("orderAddNote", "OrderAddNoteInput", input)
            }
            Write::Csr { order, to } => {
                let input = json!({ "order": order.to_string(), "csr": text(to) });
                ("orderAssignCsr", "OrderAssignCsrInput", input)
            }
            Write::Agent { order, to } => {
                let input = json!({ "order": order.to_string(), "agent": text(to) });
                ("orderAssignAgent", "OrderAssignAgentInput", input)
            }
        }
    }
}

/// One client.
pub struct Writer {
    name: String,
    http: reqwest::Client,
    doors: Doors,
    login: Login,
    journal: Journal,
    written: usize,
    turn: usize,
}

impl Writer {
    /// A client that begins at this door.
    pub fn new(name: String, turn: usize, doors: Doors, login: Login, journal: Journal) -> Result<Writer> {
        Ok(Writer { name, http: http()?, doors, login, journal, written: 0, turn })
    }

    /// Writes until it is acknowledged and stands in the journal.
    pub async fn write(&mut self, write: Write) -> Result<Acknowledged> {
        self.written += 1;
        let (mutation, kind, mut input) = write.request();
        input["idempotencyKey"] = format!("{}-{}", self.name, self.written).into();
        let query = format!(
            "mutation($input: {kind}!) {{ done: {mutation}(input: $input) {{ order {{ id }} \
             event {{ id version }} errors {{ code message }} }} }}"
        );
        let body = json!({ "query": query, "variables": { "input": input } });
        let begun = Instant::now();
        loop {
            match self.attempt(&body).await {
                Ok(done) => {
                    let written = acknowledged(&done).with_context(|| format!("{write:?}: {done}"))?;
                    self.journal.note(written).await?;
                    return Ok(written);
                }
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(error.context(format!("{write:?} was never answered")));
                }
                Err(_) => {
                    // At another door: this one may be gone.
                    self.turn += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// What the mutation answered. An error says nothing about whether it was carried out.
    async fn attempt(&self, body: &Value) -> Result<Value> {
        let url = format!("http://{}/graphql", self.doors.pick(self.turn)?);
        let request = self.http.post(url).bearer_auth(self.login.token()?).json(body);
        let answer: Value = request.send().await?.json().await?;
        match &answer["data"]["done"] {
            Value::Null => bail!("no data: {answer}"),
            done => Ok(done.clone()),
        }
    }
}

fn acknowledged(done: &Value) -> Result<Acknowledged> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("refused");
    Ok(Acknowledged {
        order: text(&done["order"]["id"])?.parse().ok().context("no order's id")?,
        event: text(&done["event"]["id"])?.parse().ok().context("no event's id")?,
        version: done["event"]["version"].as_i64().context("no version")?,
    })
}
