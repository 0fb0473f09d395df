//! Every connection, wherever it is in the schema, turned page by page from both ends as everybody.

use std::collections::{BTreeSet, VecDeque};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    AT_ONCE, Operation, Proof,
    sdl::{Field, Input, Sdl},
    tree::Branch,
    value::Sample,
    walk::{arguments, head},
};
use crate::{harness::Client, resource_held};

/// A connection, and the fields that lead to it from the root.
#[derive(Clone, Debug)]
struct Place {
    /// With the types that have them; the connection is the last.
    steps: Vec<(String, Field)>,
}

impl Place {
    fn field(&self) -> (&str, &Field) {
        let (parent, field) = self.steps.last().expect("a place");
        (parent, field)
    }
}

/// A page that somebody turned, and what it held.
type Page = (&'static str, Operation, Value);

/// The most pages that are turned.
const MOST: usize = 60;

impl Proof {
    /// Turns the pages of every connection there is.
    pub async fn turn_pages(&mut self) {
        let fullest = self.world.orders.iter().filter(|order| ["A1", "B1"].contains(&order.name));
        let orders: Vec<String> = fullest.map(|order| order.id.clone()).collect();
        let resources = [self.worked_on_twice().await];
        for place in places(&self.sdl) {
            let named = match place.steps.get(1) {
                Some((owner, _)) if owner == "Resource" => &resources[..],
                _ => &orders[..],
            };
            let here: Vec<Option<&String>> =
                if place.steps[0].1.name != "node" { vec![None] } else { named.iter().map(Some).collect() };
            let seats = self.seats();
            let turns = seats.iter().flat_map(|seat| here.iter().map(move |order| (seat, *order)));
            let turns = turns.map(|((name, client), order)| self.turn((name, client), &place, order));
            let told: Vec<Vec<Page>> = stream::iter(turns).buffered(AT_ONCE).collect().await;
            for (name, operation, body) in told.into_iter().flatten() {
                self.take(name, &operation, &body);
            }
        }
    }

    /// A resource with two orders, of bystanders.
    async fn worked_on_twice(&self) -> String {
        let terminate = resource_held::terminate(&self.app).await;
        self.app.place_input(&self.app.staff(), terminate.clone()).await;
        terminate["lines"][0]["resource"].as_str().expect("an id").to_owned()
    }

    /// Page by page forwards and then backwards: both see the same elements, each once.
    async fn turn(
        &self,
        (name, client): (&'static str, &Client),
        place: &Place,
        order: Option<&String>,
    ) -> Vec<Page> {
        let (mut told, mut ways) = (Vec::new(), Vec::new());
        for (size, from, next) in [("first", "after", "endCursor"), ("last", "before", "startCursor")] {
            let mut seen = Vec::new();
            let mut cursor: Option<String> = None;
            for _ in 0..MOST {
                let operation = self.page(place, order, [size, from], cursor.as_deref());
                let body = operation.send(client).await;
                told.push((name, operation, body.clone()));
                let page = inside(&body["data"], place);
                let Some(edges) = page["edges"].as_array() else { return told };
                let mut cursors: Vec<String> =
                    edges.iter().filter_map(|edge| edge["cursor"].as_str()).map(str::to_owned).collect();
                if size == "last" {
                    cursors.reverse();
                }
                seen.extend(cursors);
                let more = if size == "first" { "hasNextPage" } else { "hasPreviousPage" };
                cursor = page["pageInfo"][next].as_str().map(str::to_owned);
                if page["pageInfo"][more] != true {
                    break;
                }
            }
            ways.push(seen);
        }
        ways[1].reverse();
        assert_eq!(ways[0], ways[1], "{name}: {:?} has other elements from the other end", place.field());
        let once: BTreeSet<&String> = ways[0].iter().collect();
        assert_eq!(once.len(), ways[0].len(), "{name}: {:?} shows an element twice", place.field());
        told
    }

    fn page(
        &self,
        place: &Place,
        order: Option<&String>,
        [size, from]: [&str; 2],
        cursor: Option<&str>,
    ) -> Operation {
        let (parent, field) = place.field();
        let argument = |name: &str| field.arguments.iter().find(|it| it.name == name).cloned();
        // Lines and attempts are few, orders many.
        let most = match &*field.name {
            _ if order.is_some() => 1,
            "orders" | "products" => 7,
            _ => 2,
        };
        let mut given: Vec<(Input, Sample)> = Vec::new();
        for (name, value) in [(size, Some(json!(most))), (from, cursor.map(Value::from))] {
            let sample = value.map(|value| Sample {
                value,
                fills: BTreeSet::from([format!("{parent}.{}({name}:)", field.name)]),
            });
            given.extend(argument(name).zip(sample));
        }
        let fills = given.iter().flat_map(|(_, sample)| sample.fills.clone()).collect();
        let inner = Branch::full(&self.sdl, parent, field, 1).asking(arguments(&given), Some(most));
        let mut branch = inner;
        for (parent, step) in place.steps.iter().rev().skip(1) {
            branch = Branch::around(parent, step, branch);
        }
        if let Some(order) = order {
            let sample = Sample { value: json!(order), fills: [].into() };
            given.push((place.steps[0].1.arguments[0].clone(), sample));
            branch = branch.asking("(id: $id)".to_owned(), None);
        }
        let (head, variables) = head("query", &given);
        Operation { branch, head, variables, fills }
    }
}

/// What was answered for the connection.
fn inside<'a>(data: &'a Value, place: &Place) -> &'a Value {
    place.steps.iter().fold(data, |at, (_, step)| &at[&step.name])
}

/// Every connection by the shortest way from `node`, from the settings, or from the root itself.
fn places(sdl: &Sdl) -> Vec<Place> {
    let paged = |field: &Field| field.arguments.iter().any(|argument| argument.name == "first");
    let mut places = Vec::new();
    let mut ahead: VecDeque<Place> = VecDeque::new();
    for root in sdl.roots("Query") {
        let place = Place { steps: vec![("Query".to_owned(), root.clone())] };
        if paged(root) {
            places.push(place);
        } else if ["node", "settings"].contains(&root.name.as_str()) {
            ahead.push_back(place);
        }
    }
    let mut met = BTreeSet::new();
    while let Some(place) = ahead.pop_front() {
        let ty = &place.field().1.ty.name;
        for owner in [vec![ty.clone()], sdl.get(ty).members.clone()].concat() {
            for field in &sdl.get(&owner).fields {
                if !met.insert(format!("{owner}.{}", field.name)) || sdl.is_leaf(&field.ty.name) {
                    continue;
                }
                let mut steps = place.steps.clone();
                steps.push((owner.clone(), field.clone()));
                let found = Place { steps };
                if paged(field) {
                    places.push(found)
                } else if !field.ty.list {
                    ahead.push_back(found)
                }
            }
        }
    }
    places
}
