//! Every mutation with every field of its input, as everybody: refused on orders that are there for the
//! viewer, with a version that no order has; and carried out, on orders made for it, by whoever may.

use serde_json::{Value, json};

use super::{
    Operation, Proof,
    sdl::{Field, Sdl},
    tree::Branch,
    value::{Maker, Whose},
    walk::{arguments, head},
};
use crate::{authz, harness::Wanted};

/// How deep a payload is read.
const DEEP: usize = 12;

/// Mutations that nobody here can carry out, and why.
const NOT_DRIVEN: [(&str, &str); 0] = [];

impl Proof {
    /// All mutations.
    pub async fn mutate(&mut self) {
        let roots = self.sdl.roots("Mutation").to_vec();
        let orders = self.learn_names().await;
        self.judge.learn(&self.world);
        for root in &roots {
            for (name, client) in self.seats() {
                let names = self.names(name, &orders);
                let samples = {
                    let maker = Maker { sdl: &self.sdl, names: &names, tried: &[Whose::Own] };
                    let input = &root.arguments[0];
                    maker.samples(&format!("Mutation.{}({}:)", root.name, input.name), input, &input.name)
                };
                // Everybody fills in everything and as little as possible; two try each other value.
                let tried = if ["staff", "consumerA"].contains(&name) { samples.len() } else { 2 };
                for (at, mut sample) in samples.into_iter().take(tried).enumerate() {
                    stale(&self.sdl, root, &mut sample.value);
                    let given = [(root.arguments[0].clone(), sample)];
                    let branch = refusal(&self.sdl, root, at == 0).asking(arguments(&given), None);
                    for part in branch.parts() {
                        let (head, variables) = head("mutation", &given);
                        let fills = given[0].1.fills.clone();
                        self.ask((name, &client), &Operation { branch: &part, head, variables, fills }).await;
                    }
                }
            }
        }
        for root in &roots {
            self.carry_out(root).await;
        }
    }

    /// The mutation, done: on an order of the company of all tests, until somebody succeeds.
    async fn carry_out(&mut self, root: &Field) {
        let excuse = NOT_DRIVEN.iter().find(|(field, _)| *field == root.name);
        let known = authz::mutations(&self.app).into_iter().find(|mutation| mutation.field == root.name);
        let branch =
            Branch::full(&self.sdl, "Mutation", root, DEEP).asking("(input: $input)".to_owned(), None);
        let parts = branch.parts();
        let people = [("staff", self.app.staff()), ("admin", self.app.admin()), ("agent", self.app.agent())];
        let mut done = 0;
        for part in &parts {
            for (_, client) in &people {
                let variables = match &known {
                    Some(mutation) => {
                        let order = self.app.stand(std::slice::from_ref(&mutation.wanted)).await.remove(0);
                        mutation.variables(&order)
                    }
                    None if root.name == "orderCreate" => self.new_order(),
                    None => break,
                };
                let head = format!("mutation($input: {})", root.arguments[0].ty.text);
                // A bystander's order: none of the markers is about it.
                let document = part.document(&head);
                let body = client.send(&document, variables).await.body;
                let payload = &body["data"][&root.name];
                if body.get("errors").is_none() && payload["errors"].as_array().is_none_or(Vec::is_empty) {
                    self.coverage.answered(&self.sdl, part, payload);
                    done += 1;
                    break;
                }
            }
        }
        match excuse {
            Some((field, why)) => assert_eq!(done, 0, "{field} can be driven after all: {why}"),
            None => {
                assert_eq!(done, parts.len(), "nobody could carry out {}: say why in NOT_DRIVEN", root.name)
            }
        }
    }

    fn new_order(&self) -> Value {
        let company = &self.app.company;
        let line = json!({ "product": company.server.id.to_string() });
        json!({ "input": { "customer": { "id": company.customer.to_string() }, "lines": [line] } })
    }

    /// An order of the company of all tests.
    pub async fn stand(&self, status: &str) -> String {
        self.app.stand(&[Wanted::new(&self.app.company.server, status)]).await.remove(0)
    }
}

/// The payload of a mutation that is refused: why in full once, and what is null then by its leaves.
fn refusal(sdl: &Sdl, root: &Field, in_full: bool) -> Branch {
    let mut branch = Branch::full(sdl, "Mutation", root, 1);
    let deep = Branch::full(sdl, "Mutation", root, if in_full { DEEP } else { 1 });
    let errors = deep.children.into_iter().find(|child| child.field.name == "errors");
    if let Some(errors) = errors {
        branch.children.retain(|child| child.field.name != "errors");
        branch.children.push(errors);
    }
    branch
}

/// Makes sure that an order which is there for the viewer is left as it is.
fn stale(sdl: &Sdl, root: &Field, input: &mut Value) {
    let fields = &sdl.get(&root.arguments[0].ty.name).inputs;
    if fields.iter().any(|field| field.name == "expectedVersion") {
        input["expectedVersion"] = json!(99);
    }
}
