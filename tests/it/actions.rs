//! Offered means open: what `availableActions` offers succeeds, everything else is refused and writes
//! nothing; for every workflow, status, role and relation to the order.

use std::{collections::BTreeMap, fmt::Write};

use domain::workflow::{Definition, Target};
use futures_util::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};

use crate::harness::{App, Client, Goods, Wanted};

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

const OFFERS: &str = "query($id: ID!) { order(by: { id: $id }) { number version status { code } \
    availableActions { action to { code } needs blockedBy { guard } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn what_cloud_offers_succeeds_and_the_rest_is_refused() {
    let app = App::start().await;
    let golden = Matrix::over(&app, "cloud", &[&app.company.server]).await;
    insta::assert_snapshot!("offers_of_cloud", golden);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hosting_offers_succeeds_and_the_rest_is_refused() {
    let app = App::start().await;
    let golden = Matrix::over(&app, "hosting", &[&app.company.webspace]).await;
    insta::assert_snapshot!("offers_of_hosting", golden);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_marketplace_offers_succeeds_and_the_rest_is_refused() {
    let app = App::start().await;
    let goods = [&app.company.allocation, &app.company.instant];
    let golden = Matrix::over(&app, "marketplace", &goods).await;
    insta::assert_snapshot!("offers_of_marketplace", golden);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_delivery_offers_succeeds_and_the_rest_is_refused() {
    let app = App::start().await;
    let golden = Matrix::over(&app, "delivery", &[&app.company.parcel]).await;
    insta::assert_snapshot!("offers_of_delivery", golden);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_commerce_offers_succeeds_and_the_rest_is_refused() {
    let app = App::start().await;
    let golden = Matrix::over(&app, "commerce", &[&app.company.pallet]).await;
    insta::assert_snapshot!("offers_of_commerce", golden);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_is_not_cancelled_without_a_word_on_the_money() {
    let app = App::start().await;
    let paid = Wanted { paid: 100, ..Wanted::new(&app.company.webspace, "pending") };
    let orders = app.stand(&[paid.clone(), paid]).await;
    let offers = Offers::of(&app.staff(), &orders[0]).await.expect("an order");
    assert_eq!(offers.find("cancel").expect("offered")["blockedBy"]["guard"], "unrefunded_payment");
    assert_eq!(offers.find("cancel_and_refund").expect("offered")["blockedBy"], Value::Null);
    let before = app.rows(&orders[0]).await;
    let refused = app.staff().transition(&orders[0], "cancel", json!({})).await;
    assert_eq!(refused["errors"][0]["guard"], "unrefunded_payment", "{refused}");
    assert_eq!(app.rows(&orders[0]).await, before);
    let refused = app.consumer().transition(&orders[0], "cancel", json!({ "keepCredit": true })).await;
    assert_eq!(refused["errors"][0]["code"], "NOT_PERMITTED", "{refused}");
    assert_eq!(app.rows(&orders[0]).await, before);
    app.act(&app.staff(), &orders[0], "cancel", json!({ "keepCredit": true })).await;
    app.act(&app.staff(), &orders[1], "cancel_and_refund", json!({})).await;
}

fn roles(app: &App) -> Vec<(&'static str, Client)> {
    let accounts = app.company.accounts();
    let names = [
        "admin", "staff", "support", "csr", "agent", "provider", "manager", "worker", "approver", "consumer",
        "stranger", "rival",
    ];
    names.into_iter().zip(accounts.map(|account| app.client(account))).collect()
}

/// What an order offers somebody.
struct Offers {
    number: String,
    actions: Vec<Value>,
}

impl Offers {
    /// None when the order does not exist for them.
    async fn of(client: &Client, order: &str) -> Option<Offers> {
        let data = client.data(OFFERS, json!({ "id": order })).await;
        let order = data["order"].as_object()?;
        let actions = order["availableActions"].as_array().expect("actions").clone();
        Some(Offers { number: order["number"].as_str().expect("a number").to_owned(), actions })
    }

    fn find(&self, action: &str) -> Option<&Value> {
        self.actions.iter().find(|offer| offer["action"] == action)
    }

    fn open(&self) -> Vec<&str> {
        let open = self.actions.iter().filter(|offer| offer["blockedBy"].is_null());
        open.filter_map(|offer| offer["action"].as_str()).collect()
    }
}

/// What to supply so that nothing is missing.
fn supplies(offer: Option<&Value>, number: &str) -> Value {
    let mut supplies = json!({ "reason": "because" });
    let needs = offer.and_then(|offer| offer["needs"].as_array()).cloned().unwrap_or_default();
    if needs.contains(&json!("ERROR")) {
        supplies["error"] = json!({ "category": "CAPACITY", "message": "full", "traceback": "line 1" });
    }
    if needs.contains(&json!("NUMBER")) {
        supplies["number"] = number.into();
    }
    supplies
}

/// An offer to be taken, on an order of its own.
struct Taking {
    wanted: Wanted,
    role: &'static str,
    client: Client,
    action: String,
    to: Option<String>,
    supplies: Value,
}

impl Taking {
    async fn take(self, order: String) {
        let Taking { wanted, role, client, action, to, supplies } = self;
        let payload = client.transition(&order, &action, supplies).await;
        let case = format!("{role} {action} {to:?} of {wanted:?}: {payload:#}");
        let needs_agent = action == "set_status" && to.as_deref() == Some("in_transit") && !wanted.attended;
        if needs_agent {
            assert_eq!(payload["errors"][0]["guard"], "agent_assigned", "{case}");
            return;
        }
        assert_eq!(payload["errors"], json!([]), "{case}");
        assert_eq!(payload["event"]["kind"], "STATUS_CHANGED", "{case}");
        if let Some(to) = to {
            assert_eq!(payload["order"]["status"]["code"], json!(to), "{case}");
        }
    }
}

/// Statuses by roles by actions.
struct Matrix<'a> {
    app: &'a App,
    workflow: &'a Definition,
    /// By status and offer: for whom, attended or not.
    golden: BTreeMap<(usize, String), Vec<(&'static str, bool)>>,
    takings: Vec<Taking>,
}

impl Matrix<'_> {
    async fn over(app: &App, workflow: &str, goods: &[&Goods]) -> String {
        let workflow = app.inner.book.newest(workflow).expect("a workflow").clone();
        let mut matrix = Matrix { app, workflow: &workflow, golden: BTreeMap::new(), takings: Vec::new() };
        let mut standing = Vec::new();
        for goods in goods {
            for status in &workflow.statuses {
                let skipped = ["pending_consumer", "pending_provider", "canceled", "rejected"];
                if goods.name == "instant" && skipped.contains(&status.code.as_str()) {
                    continue;
                }
                for attended in [true, false] {
                    standing.push(Wanted { attended, ..Wanted::new(goods, &status.code) });
                }
            }
        }
        let orders = app.stand(&standing).await;
        for (wanted, order) in standing.iter().zip(&orders) {
            matrix.refuse(wanted, order).await;
        }
        let wanted: Vec<Wanted> = matrix.takings.iter().map(|taking| taking.wanted.clone()).collect();
        let orders = app.stand(&wanted).await;
        let takings = std::mem::take(&mut matrix.takings).into_iter().zip(orders);
        let takings = takings.map(|(taking, order)| taking.take(order));
        stream::iter(takings).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        matrix.text()
    }

    /// Tries everything that is not open, by everybody; notes down what is.
    async fn refuse(&mut self, wanted: &Wanted, order: &str) {
        let before = self.app.rows(order).await;
        for (role, client) in roles(self.app) {
            let offers = Offers::of(&client, order).await;
            let open = offers.as_ref().map(Offers::open).unwrap_or_default();
            let mut actions = self.workflow.actions();
            actions.push("dance");
            let closed = actions.into_iter().filter(|action| !open.contains(action));
            join_all(closed.map(|action| self.expect_refusal(wanted, order, &client, &offers, action))).await;
            if let Some(offers) = &offers {
                self.note(wanted, role, &client, offers);
            }
        }
        assert_eq!(self.app.rows(order).await, before, "a refusal wrote something: {wanted:?}");
    }

    async fn expect_refusal(
        &self,
        wanted: &Wanted,
        order: &str,
        client: &Client,
        offers: &Option<Offers>,
        action: &str,
    ) {
        let number = offers.as_ref().map_or("1234567890", |offers| &offers.number);
        let offer = offers.as_ref().and_then(|offers| offers.find(action));
        let mut input = supplies(offer, number);
        input["number"] = number.into();
        input["to"] = self.workflow.statuses[0].code.as_str().into();
        let payload = client.transition(order, action, input).await;
        let single = |row: &&domain::workflow::Transition| !row.bulk_only && row.to != Target::Gone;
        let known = self.workflow.rows(action, &wanted.status).filter(single).count() > 0;
        let code = match (offers, offer) {
            (None, _) => "NOT_FOUND",
            (Some(_), Some(_)) => "GUARD_FAILED",
            (Some(_), None) if known => "NOT_PERMITTED",
            (Some(_), None) => "ILLEGAL_TRANSITION",
        };
        let error = &payload["errors"][0];
        assert_eq!(error["code"], code, "{action} of {wanted:?}: {payload:#}");
        assert_eq!(payload["order"], Value::Null, "{payload:#}");
        assert_eq!(payload["event"], Value::Null, "{payload:#}");
        if let Some(offer) = offer {
            assert_eq!(error["guard"], offer["blockedBy"]["guard"], "{payload:#}");
        }
        if let (Some(offers), Some(allowed)) = (offers, error.get("allowedActions")) {
            assert_eq!(*allowed, json!(offers.open()), "{payload:#}");
        }
    }

    fn note(&mut self, wanted: &Wanted, role: &'static str, client: &Client, offers: &Offers) {
        let place = self.workflow.statuses.iter().position(|status| status.code == wanted.status);
        let place = place.expect("a status");
        for offer in &offers.actions {
            let action = offer["action"].as_str().expect("an action").to_owned();
            let blocked = offer["blockedBy"]["guard"].as_str();
            let line = match blocked {
                None => format!("{}: {action}", wanted.goods.name),
                Some(guard) => format!("{}: {action} (blocked: {guard})", wanted.goods.name),
            };
            self.golden.entry((place, line)).or_default().push((role, wanted.attended));
            if blocked.is_some() {
                continue;
            }
            let chosen = self.workflow.rows(&action, &wanted.status).any(|row| row.to == Target::Chosen);
            let targets: Vec<Option<String>> = match chosen {
                true => {
                    let codes = self.workflow.statuses.iter().map(|status| status.code.clone());
                    codes.filter(|code| *code != wanted.status).map(Some).collect()
                }
                false => vec![offer["to"]["code"].as_str().map(str::to_owned)],
            };
            for to in targets {
                let mut supplies = supplies(Some(offer), &offers.number);
                if chosen {
                    supplies["to"] = json!(to);
                }
                let (wanted, client, action) = (wanted.clone(), client.clone(), action.clone());
                self.takings.push(Taking { wanted, role, client, action, to, supplies });
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut last = None;
        for ((place, line), entries) in &self.golden {
            if last != Some(place) {
                writeln!(text, "{}", self.workflow.statuses[*place].code).expect("text");
                last = Some(place);
            }
            let mut roles: Vec<String> = Vec::new();
            for (role, _) in entries {
                let only = entries.iter().filter(|(other, _)| other == role).collect::<Vec<_>>();
                let name = match only.as_slice() {
                    [(_, true)] => format!("{role} (if attended)"),
                    [(_, false)] => format!("{role} (if unattended)"),
                    _ => (*role).to_owned(),
                };
                if !roles.contains(&name) {
                    roles.push(name);
                }
            }
            writeln!(text, "  {line}: {}", roles.join(", ")).expect("text");
        }
        text
    }
}
