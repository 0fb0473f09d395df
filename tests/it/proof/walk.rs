//! Every query field with every argument, as everybody; and every object that anybody came across, asked
//! for by everybody.

use serde_json::{Map, Value, json};

use super::{
    Operation, Proof,
    expectation::{knows_everybody, relation},
    judge::{Judge, is_id},
    sdl::{Field, Input},
    tree::Branch,
    value::{Maker, Names, Sample, Whose, is_cursor},
    world::Owner,
};

/// How deep what is selected may go.
const DEEP: usize = 12;
/// Deep enough to see which elements a page has, and no more.
const SHALLOW: usize = 1;

impl Proof {
    /// The whole walk over the queries.
    pub async fn walk(&mut self) {
        let orders = self.learn_names().await;
        self.judge = Judge::new(&self.world);
        let roots = self.sdl.roots("Query").to_vec();
        for (name, client) in self.seats() {
            let open = roots.iter().filter(|root| root.arguments.iter().all(|it| !it.required));
            let operations = open.flat_map(|root| self.all_of(root));
            let asked: Vec<_> = operations.map(|operation| (client.clone(), operation)).collect();
            self.ask_all(name, &asked).await;
            self.expect_counts(name, &client).await;
        }
        for (name, client) in self.seats() {
            let names = self.names(name, &orders);
            let operations = roots.iter().flat_map(|root| self.tries_of(root, &names));
            let asked: Vec<_> = operations.map(|operation| (client.clone(), operation)).collect();
            let bodies = self.ask_all(name, &asked).await;
            for ((_, operation), body) in asked.iter().zip(&bodies) {
                expect_honest_count(name, operation, &body["data"][&operation.branch.key]);
            }
        }
        self.ask_for_everything().await;
        let count = self.judge.expect_found(&self.world, "asked", |_, _| true);
        println!(
            "{} markers, found {count} times by {} viewers",
            self.world.markers.len(),
            self.world.viewers.len()
        );
    }

    /// All that a root field without arguments tells.
    fn all_of(&self, root: &Field) -> Vec<Operation> {
        let paged = root.arguments.iter().any(|argument| argument.name == "first");
        let arguments = if paged { "(first: 100)" } else { "" };
        let branch = Branch::full(&self.sdl, "Query", root, DEEP);
        let parts = branch.asking(arguments.to_owned(), paged.then_some(100)).parts().into_iter();
        let each = parts.map(|branch| {
            let fills = paged.then(|| format!("Query.{}(first:)", root.name)).into_iter().collect();
            Operation { branch, head: "query".to_owned(), variables: json!({}), fills }
        });
        each.collect()
    }

    /// A list counts what it lists, and that is what is there for the viewer.
    async fn expect_counts(&mut self, name: &'static str, client: &crate::harness::Client) {
        let query = "query($where: OrderWhereInput) { orders(where: $where, first: 100) { totalCount \
            nodes { id } } }";
        let Some(viewer) = self.world.viewers.iter().find(|viewer| viewer.name == name) else { return };
        for deleted in [false, true] {
            let there = self.world.orders.iter().filter(|order| {
                order.deleted == deleted && !order.archived && relation(viewer, order).is_some()
            });
            let list = client.data(query, json!({ "where": { "deleted": deleted } })).await["orders"].clone();
            assert_eq!(list["totalCount"], there.count(), "{name} {deleted}: {list}");
        }
    }

    /// Every value of every argument, with the others as they have to be.
    fn tries_of(&self, root: &Field, names: &Names) -> Vec<Operation> {
        let maker = Maker { sdl: &self.sdl, names, tried: &[Whose::Own, Whose::Foreign, Whose::Missing] };
        let mut tries: Vec<Vec<(Input, Sample)>> = Vec::new();
        let all: Vec<(&Input, Vec<Sample>)> = root
            .arguments
            .iter()
            .filter(|argument| !is_cursor(&argument.name))
            .map(|it| (it, maker.samples(&format!("Query.{}({}:)", root.name, it.name), it, &it.name)))
            .collect();
        for (argument, samples) in &all {
            for sample in samples {
                let beside = all.iter().filter(|(other, _)| other.required && other.name != argument.name);
                let mut given: Vec<(Input, Sample)> =
                    beside.map(|(other, samples)| ((*other).clone(), samples[0].clone())).collect();
                given.push(((*argument).clone(), sample.clone()));
                tries.push(given);
            }
        }
        let paged = root.arguments.iter().any(|argument| argument.name == "first");
        let depth = if paged { SHALLOW } else { DEEP };
        tries.iter().flat_map(|given| selected(self, root, given, depth)).collect()
    }

    /// Every id that anybody came across, asked for by everybody, all at once and one by one.
    async fn ask_for_everything(&mut self) {
        let users: Vec<String> = self.world.accounts().map(|user| user.to_string()).collect();
        let ids: Vec<String> = self.judge.all_ids().into_iter().chain(users).filter(|id| nodes(id)).collect();
        let root = |name: &str| self.sdl.roots("Query").iter().find(|root| root.name == name).cloned();
        let (several, one) = (root("nodes").expect("`nodes`"), root("node").expect("`node`"));
        for (name, client) in self.seats() {
            let by = |root: &Field, value: Value, depth: usize| {
                let given = [(root.arguments[0].clone(), Sample { value, fills: [].into() })];
                selected(self, root, &given, depth)
            };
            let together = ids.chunks(20).flat_map(|some| by(&several, json!(some), DEEP));
            // They are the same objects: which there are is what is asked.
            let alone = ids.iter().flat_map(|id| by(&one, json!(id), 0));
            let asked: Vec<_> = together.chain(alone).map(|it| (client.clone(), it)).collect();
            let bodies = self.ask_all(name, &asked).await;
            for ((_, operation), body) in asked.iter().zip(&bodies) {
                let (given, told) = (&operation.variables, &body["data"]);
                let pairs = elements(&given["ids"]).zip(elements(&told["nodes"]));
                for (id, node) in pairs.chain([(&given["id"], &told["node"])]) {
                    self.expect_for(name, id.as_str().unwrap_or_default(), node);
                }
            }
        }
    }

    /// What was asked for by name may be said back, but not that it exists.
    fn expect_for(&mut self, name: &str, id: &str, node: &Value) {
        if !node.is_null() && !self.exists_for(name, id) {
            self.faults.push(format!("{name} was shown {id}: {node}"));
        }
    }

    /// Whether an object is there for a viewer, as far as it has a marker by its id.
    fn exists_for(&self, name: &str, id: &str) -> bool {
        let Some(viewer) = self.world.viewers.iter().find(|viewer| viewer.name == name) else { return false };
        let user = self.world.accounts().find(|user| user.to_string() == id);
        let shelf = self.world.shelf.iter().position(|product| product.id.to_string() == id);
        let owner = user.map(Owner::User).or(shelf.map(Owner::Product));
        match owner {
            // An account is looked up by the operator and by the person; others are told its name on orders.
            Some(Owner::User(user)) => user == viewer.user || knows_everybody(viewer),
            Some(owner) => {
                let mut about = self.world.markers.iter().filter(|marker| marker.owner == owner);
                about.any(|marker| self.world.finds(viewer, marker))
            }
            None => {
                let marker = self.world.markers.iter().find(|marker| marker.text == id);
                marker.is_none_or(|marker| self.world.finds(viewer, marker))
            }
        }
    }
}

/// What `nodes` knows; other ids are refused as no node's.
fn nodes(id: &str) -> bool {
    is_id(id) && ["order_", "product_", "org_", "user_", "token_"].iter().any(|prefix| id.starts_with(prefix))
}

fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The documents for a root field with these arguments.
fn selected(proof: &Proof, root: &Field, given: &[(Input, Sample)], depth: usize) -> Vec<Operation> {
    let size = given.iter().find_map(|(_, sample)| Some(sample.value.as_array()?.len()));
    let branch = Branch::full(&proof.sdl, "Query", root, depth);
    let parts = branch.asking(arguments(given), size).parts().into_iter();
    let each = parts.map(|branch| {
        let (head, variables) = head("query", given);
        let fills = given.iter().flat_map(|(_, sample)| sample.fills.clone()).collect();
        Operation { branch, head, variables, fills }
    });
    each.collect()
}

/// `(a: $a, b: $b)`.
pub fn arguments(given: &[(Input, Sample)]) -> String {
    let each: Vec<String> = given.iter().map(|(input, _)| format!("{0}: ${0}", input.name)).collect();
    if each.is_empty() { String::new() } else { format!("({})", each.join(", ")) }
}

/// The operation's head with its variables, and their values.
pub fn head(operation: &str, given: &[(Input, Sample)]) -> (String, Value) {
    let each: Vec<String> =
        given.iter().map(|(input, _)| format!("${}: {}", input.name, input.ty.text)).collect();
    let variables: Map<String, Value> =
        given.iter().map(|(input, sample)| (input.name.clone(), sample.value.clone())).collect();
    let head =
        if each.is_empty() { operation.to_owned() } else { format!("{operation}({})", each.join(", ")) };
    (head, variables.into())
}

/// A page that holds everything counts everything, and nothing else.
fn expect_honest_count(name: &str, operation: &Operation, list: &Value) {
    let (Some(count), Some(nodes)) = (list["totalCount"].as_u64(), list["nodes"].as_array()) else { return };
    let whole = list["pageInfo"]["hasNextPage"] == false && list["pageInfo"]["hasPreviousPage"] == false;
    assert!(
        !whole || count == nodes.len() as u64,
        "{name}: {count} of {} by {}",
        nodes.len(),
        operation.document()
    );
}
