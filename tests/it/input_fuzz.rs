//! Variables that nobody would think of: whatever is sent, the answer is an answer.

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};

use super::CREATE;
use crate::harness::{Answer, App};

const TRANSITION: &str = "mutation($input: OrderTransitionInput!) { orderTransition(input: $input) \
    { order { id version status { code } } errors { code message path } } }";
const PAGE: &str = "query($where: OrderWhereInput, $orderBy: OrderOrder, $first: Int, $after: String, \
    $last: Int, $before: String) { orders(where: $where, orderBy: $orderBy, first: $first, after: $after, \
    last: $last, before: $before) { totalCount eventsCursor nodes { id pricing { total { amount } } } } }";

/// Makes up values. Half of the time a field gets what it wants, so that errors are not all alike.
struct Fuzz {
    random: StdRng,
    /// Texts and ids that mean something here.
    words: Vec<String>,
}

impl Fuzz {
    fn one_in(&mut self, n: u32) -> bool {
        self.random.random_ratio(1, n)
    }

    fn pick(&mut self, from: &[Value]) -> Value {
        from[self.random.random_range(0..from.len())].clone()
    }

    fn word(&mut self) -> Value {
        self.words[self.random.random_range(0..self.words.len())].clone().into()
    }

    /// Anything at all.
    fn junk(&mut self, depth: u32) -> Value {
        let atoms = [
            Value::Null,
            json!(true),
            json!(0),
            json!(-1),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1e300),
            json!(0.1),
            json!(""),
            json!("\u{0}"),
            json!("\u{202E}\u{FEFF}"),
            json!("\u{1F9EA}".repeat(300)),
            json!("-0"),
            json!("1e9"),
            json!("79228162514264337593543950335"),
            json!("EUR"),
            json!("9999-12-31"),
            json!("-262143-01-01"),
            json!("2026-03-02T09:00:00.000Z"),
            json!("order_"),
            json!([]),
            json!({}),
        ];
        match self.random.random_range(0..8) {
            0 if depth > 0 => (0..self.random.random_range(0..4)).map(|_| self.junk(depth - 1)).collect(),
            1 if depth > 0 => {
                let keys = ["id", "in", "a\u{0}", "amount", "new"];
                let key = keys[self.random.random_range(0..keys.len())];
                json!({ key: self.junk(depth - 1) })
            }
            2 | 3 => self.word(),
            _ => self.pick(&atoms),
        }
    }

    /// A value, mostly the one that is wanted.
    fn or_junk(&mut self, wanted: Value) -> Value {
        if self.one_in(6) { self.junk(3) } else { wanted }
    }

    /// Some of these fields, each wanted or junk.
    fn some(&mut self, fields: Vec<(&str, Value)>) -> Value {
        let mut made = Map::new();
        for (name, wanted) in fields {
            if !self.one_in(3) {
                let value = self.or_junk(wanted);
                made.insert(name.to_owned(), value);
            }
        }
        Value::Object(made)
    }

    fn money(&mut self) -> Value {
        let amounts = ["0", "1.00", "-5", "0.001", "99999999999999", "1.0000000000000000000000000000"];
        let amount = self.pick(&amounts.map(Value::from));
        let currency = self.pick(&["EUR", "USD", "JPY", "XAU", "eur"].map(Value::from));
        self.some(vec![("amount", amount), ("currency", currency)])
    }

    fn create(&mut self) -> Value {
        let line = |own: &mut Fuzz| {
            let (word, discount, configuration) = (own.word(), own.money(), own.junk(4));
            let quantity = own.pick(&[1, 0, 1_000_000, i32::MAX, i32::MIN].map(Value::from));
            let product = own.or_junk(word);
            let mut line = own.some(vec![("configuration", configuration), ("discount", discount)]);
            line["product"] = product;
            line["quantity"] = quantity;
            line
        };
        let lines: Value = (0..self.random.random_range(0..4)).map(|_| line(self)).collect();
        let (id, fee, agent, metadata, contact) =
            (self.word(), self.money(), self.word(), self.junk(4), self.junk(1));
        let (reference, note, tag) = (self.word(), self.junk(0), self.junk(0));
        let mut input = self.some(vec![
            ("deliveryFee", fee),
            ("deliveryAgent", agent),
            ("metadata", metadata),
            ("contact", json!({ "name": contact })),
            ("shippingAddress", json!({ "lines": [note], "city": "x" })),
            ("externalReference", reference.clone()),
            ("idempotencyKey", reference),
            ("tags", json!([tag])),
            ("expiresOn", json!("2026-12-31")),
            ("type", json!("CREATE")),
        ]);
        input["customer"] = self.or_junk(json!({ "id": id }));
        input["lines"] = self.or_junk(lines);
        input
    }

    fn transition(&mut self) -> Value {
        let (order, action, reason, to) = (self.word(), self.word(), self.junk(0), self.word());
        let (item, message, key) = (self.word(), self.junk(0), self.word());
        let version = self.pick(&[0, 1, -1, i32::MAX].map(Value::from));
        let mut input = self.some(vec![
            ("reason", reason),
            ("error", json!({ "message": message })),
            ("to", to),
            ("items", json!([item])),
            ("number", json!("0123456789")),
            ("keepCredit", json!(true)),
            ("idempotencyKey", key),
            ("expectedVersion", version),
        ]);
        input["order"] = self.or_junk(order);
        input["action"] = self.or_junk(action);
        input
    }

    fn page(&mut self) -> Value {
        let (a, b, c, after) = (self.word(), self.word(), self.word(), self.junk(1));
        let condition = self.some(vec![
            ("status", json!({ "in": [a, b] })),
            ("customer", json!({ "in": [c] })),
            ("workflow", json!({ "in": [] })),
            ("currency", json!("EUR")),
            ("createdAt", json!({ "gte": "2026-03-02T09:00:00Z", "lt": null })),
            ("deleted", json!(true)),
        ]);
        let field = self.pick(&["CREATED_AT", "STATUS_CHANGED_AT", "TOTAL"].map(Value::from));
        let size = self.pick(&[1, 100, 101, 0, i32::MAX].map(Value::from));
        self.some(vec![
            ("where", condition),
            ("orderBy", json!({ "field": field, "direction": "ASC" })),
            ("first", size),
            ("after", after.clone()),
            ("last", json!(2)),
            ("before", after),
        ])
    }
}

/// No answer may be our fault, and every error has a code.
fn sound(what: &Value, answer: &Answer) {
    let errors = answer.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(answer.status < 500, "{what:#}\n{:#}", answer.body);
    assert_eq!(answer.codes().len(), errors.len(), "{what:#}\n{:#}", answer.body);
    assert!(!answer.codes().contains(&"INTERNAL"), "{what:#}\n{:#}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_variables_are_no_answer_is_our_fault() {
    let app = App::start().await;
    let order = app.place(&app.consumer(), &app.company.webspace, 1).await;
    let company = &app.company;
    let mut words: Vec<String> =
        ["accept", "cancel", "pending", "set_status", "\u{0}", "PO-1"].map(str::to_owned).into();
    words.extend([order.clone(), order, company.agent.id.to_string(), company.customer.to_string()]);
    words.extend([&company.server, &company.webspace, &company.parcel].map(|goods| goods.id.to_string()));
    let mut fuzz = Fuzz { random: StdRng::seed_from_u64(20_261_121), words };
    let clients = [app.staff(), app.consumer(), app.provider()];
    for n in 0..200 {
        let client = &clients[n % clients.len()];
        for (query, input) in [(CREATE, fuzz.create()), (TRANSITION, fuzz.transition())] {
            let variables = json!({ "input": input });
            sound(&variables, &client.send(query, variables.clone()).await);
        }
        let variables = fuzz.page();
        sound(&variables, &client.send(PAGE, variables.clone()).await);
    }
    // And it goes on working.
    let order = app.place(&app.consumer(), &app.company.webspace, 1).await;
    app.act(&app.staff(), &order, "accept", json!({})).await;
}
