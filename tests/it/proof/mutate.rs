//! Every mutation with every field of its input, as everybody: refused on orders that are there for the
//! viewer, with a version that no order has; and carried out, on orders made for it, by whoever may.

use serde_json::{Value, json};

use super::{
    Operation, Proof,
    sdl::{Field, Input, Sdl},
    tree::Branch,
    value::{Maker, Names, Sample, Whose},
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
        let mut driven = self.log_in_and_out().await;
        driven.extend(self.save_workflows().await);
        driven.extend(self.look_after_people().await);
        for root in &roots {
            for (name, client) in self.seats() {
                let names = self.names(name, &orders);
                // Everybody fills in everything and as little as possible; two try each other value.
                let tried = if ["staff", "consumerA"].contains(&name) { usize::MAX } else { 2 };
                let tries = self.tries(root, &names).into_iter().take(tried).enumerate();
                let operations = tries.flat_map(|(at, given)| self.refusals(root, at == 0, &given));
                let asked: Vec<_> = operations.map(|operation| (client.clone(), operation)).collect();
                let bodies = self.ask_all(name, &asked).await;
                // A part of a refusal that does not ask for its errors tells nothing.
                let refusable = self.sdl.get(&root.ty.name).fields.iter().any(|field| field.name == "errors");
                let tells = |body: &&Value| !refusable || body["data"][&root.name]["errors"].is_array();
                if bodies.iter().filter(tells).any(|body| succeeded(body, root)) {
                    driven.insert(root.name.clone());
                }
            }
        }
        for root in roots.iter().filter(|root| !driven.contains(&root.name)) {
            self.carry_out(root).await;
        }
    }

    fn refusals(&self, root: &Field, in_full: bool, given: &[(Input, Sample)]) -> Vec<Operation> {
        let branch = refusal(&self.sdl, root, in_full).asking(arguments(given), None);
        let each = branch.parts().into_iter().map(|branch| {
            let (head, variables) = head("mutation", given);
            let fills = given.iter().flat_map(|(_, sample)| sample.fills.clone()).collect();
            Operation { branch, head, variables, fills }
        });
        each.collect()
    }

    /// What a mutation is tried with: everything, as little as possible, then every other value.
    fn tries(&self, root: &Field, names: &Names) -> Vec<Vec<(Input, Sample)>> {
        let maker = Maker { sdl: &self.sdl, names, tried: &[Whose::Own] };
        let samples = |input: &Input| {
            maker.samples(&format!("Mutation.{}({}:)", root.name, input.name), input, &input.name)
        };
        let Some((first, others)) = root.arguments.split_first() else { return vec![Vec::new()] };
        let others: Vec<(Input, Sample)> =
            others.iter().map(|input| (input.clone(), samples(input).remove(0))).collect();
        let each = samples(first).into_iter().map(|mut sample| {
            stale(&self.sdl, first, &mut sample.value);
            [vec![(first.clone(), sample)], others.clone()].concat()
        });
        each.collect()
    }

    /// A mutation that everybody was refused so far, done: on an order of the company of all tests, until
    /// somebody succeeds.
    async fn carry_out(&mut self, root: &Field) {
        let excuse = NOT_DRIVEN.iter().find(|(field, _)| *field == root.name);
        let known = authz::mutations(&self.app).into_iter().find(|mutation| mutation.field == root.name);
        let branch =
            Branch::full(&self.sdl, "Mutation", root, DEEP).asking("(input: $input)".to_owned(), None);
        let parts = branch.parts();
        let people = [
            ("staff", self.app.staff()),
            ("admin", self.app.admin()),
            ("agent", self.app.agent()),
            ("worker", self.app.worker()),
        ];
        let mut done = 0;
        for part in parts.iter().filter(|_| known.is_some()) {
            for (_, client) in &people {
                let Some(mutation) = &known else { break };
                let order = self.app.stand(std::slice::from_ref(&mutation.wanted)).await.remove(0);
                let variables = mutation.variables(&self.app, &order).await;
                let head = format!("mutation($input: {})", root.arguments[0].ty.text);
                // A bystander's order: none of the markers is about it.
                let document = part.document(&head);
                let body = client.send(&document, variables).await.body;
                if succeeded(&body, root) && tells(&body["data"][&root.name]) {
                    self.coverage.answered(&self.sdl, part, &body["data"][&root.name]);
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
fn stale(sdl: &Sdl, argument: &Input, input: &mut Value) {
    if sdl.get(&argument.ty.name).inputs.iter().any(|field| field.name == "expectedVersion") {
        input["expectedVersion"] = json!(99);
    }
}

/// Whether a part of a payload holds something: one that does not ask for the errors is empty where there are some.
fn tells(payload: &Value) -> bool {
    let mut told =
        payload.as_object().into_iter().flatten().filter(|(name, _)| *name != "replayed").peekable();
    told.peek().is_none() || told.any(|(_, value)| !value.is_null())
}

/// Whether a mutation was carried out.
pub fn succeeded(body: &Value, root: &Field) -> bool {
    let payload = &body["data"][&root.name];
    let refused = payload["errors"].as_array().is_some_and(|errors| !errors.is_empty());
    body.get("errors").is_none() && !payload.is_null() && !refused
}
