//! Out of reach is the same as not there: wherever something can be named, naming a foreign thing and
//! naming one that does not exist have the same answer, for the same number of statements.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Proof,
    judge::When,
    sdl::{Field, Input},
    tree::Branch,
    value::{Maker, Names, Sample, Whose},
    walk::{arguments, head},
};
use crate::harness::Client;

/// How often two costs may differ by what runs in the background.
const TRIES: usize = 8;

/// Two requests that must not be told apart.
pub struct Pair {
    pub document: String,
    /// Where the two name different things.
    pub place: String,
    pub variables: [Value; 2],
    /// Whether both cost as many statements.
    pub counted: bool,
}

impl Proof {
    /// Every name in every query's arguments, as everybody.
    pub async fn compare_reads(&mut self) {
        let orders = self.learn_names().await;
        self.judge.learn(&self.world);
        let mut count = 0;
        for root in self.sdl.roots("Query").to_vec() {
            for (name, client) in self.seats() {
                let names = self.names(name, &orders);
                for pair in self.pairs("query", &root, &names) {
                    self.compare(name, &client, &pair).await;
                    count += 1;
                }
            }
        }
        println!("{count} pairs of reads cannot be told apart");
    }

    /// Every name in every mutation's input, as everybody.
    pub async fn compare_writes(&mut self) {
        let orders = self.learn_names().await;
        self.judge.learn(&self.world);
        let mut count = 0;
        for root in self.sdl.roots("Mutation").to_vec() {
            for (name, client) in self.seats() {
                let names = self.names(name, &orders);
                for pair in self.pairs("mutation", &root, &names) {
                    self.compare(name, &client, &pair).await;
                    count += 1;
                }
            }
        }
        println!("{count} pairs of writes cannot be told apart");
    }

    /// A pair for each place where the viewer could name something out of reach.
    fn pairs(&self, operation: &str, root: &Field, names: &Names) -> Vec<Pair> {
        let kind = if operation == "query" { "Query" } else { "Mutation" };
        let maker = Maker { sdl: &self.sdl, names, tried: &[Whose::Own] };
        let at = |argument: &Input| format!("{kind}.{}({}:)", root.name, argument.name);
        let mut pairs = Vec::new();
        for argument in &root.arguments {
            for way in maker.things(&at(argument), argument, &argument.name) {
                let with = |whose| {
                    let value = maker.naming(argument, &argument.name, (&way.steps, way.what), whose)?;
                    let beside = root.arguments.iter().filter(|it| it.required && it.name != argument.name);
                    let sample = |value| Sample { value, fills: [].into() };
                    let others =
                        beside.map(|it| (it.clone(), maker.samples(&at(it), it, &it.name).remove(0)));
                    let given: Vec<_> = others.chain([(argument.clone(), sample(value))]).collect();
                    Some((arguments(&given), head(operation, &given)))
                };
                let (Some(foreign), Some(missing)) = (with(Whose::Foreign), with(Whose::Missing)) else {
                    continue;
                };
                let (text, (head, first)) = foreign;
                let branch = Branch::full(&self.sdl, kind, root, 1).asking(text, None);
                let place = format!("{} {} of {}", at(argument), way.steps.join("."), way.what);
                let document = branch.document(&head);
                pairs.push(Pair { document, place, variables: [first, missing.1.1], counted: true });
            }
        }
        pairs
    }

    /// Sends both, and again where what runs in the background may have been counted.
    pub async fn compare(&mut self, name: &'static str, client: &Client, pair: &Pair) {
        let Pair { document, place, variables, counted } = pair;
        let mut costs = Vec::new();
        for _ in 0..TRIES {
            let mut told = Vec::new();
            let mut cost = Vec::new();
            for variables in variables {
                let (statements, answer) =
                    self.app.statements_of(client.send(document, variables.clone())).await;
                self.expect_sound(name, document, variables, &answer.body);
                let viewer = self.world.somebody(name);
                let who = super::Onlooker { name, viewer };
                self.judge.read(&self.world, who, (document, variables), &answer.body, When::Asked);
                told.push(nameless(&answer.body, variables));
                cost.push(statements);
            }
            if told[0] != told[1] {
                let [foreign, missing] = [&told[0], &told[1]];
                self.faults.push(format!(
                    "{name} tells foreign from missing at {place}\n  {foreign}\n  {missing}\n  by {document}"
                ));
                return;
            }
            if cost[0] == cost[1] || !counted {
                return;
            }
            costs.push(cost);
        }
        // What runs in the background only adds: on a busy machine it does so to one of them or the other.
        let least = |at: usize| costs.iter().map(|cost| cost[at]).min();
        if least(0) == least(1) {
            return;
        }
        let fault =
            format!("{name}: the number of statements tells foreign from missing at {place}: {costs:?}");
        self.faults.push(fault);
    }
}

/// An answer without the names that were sent.
fn nameless(body: &Value, variables: &Value) -> String {
    let mut names = BTreeSet::new();
    collect(variables, &mut names);
    let mut text = body.to_string();
    for name in names {
        text = text.replace(&name, "NAME");
    }
    text
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() > 8 => {
            names.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, names)),
        _ => {}
    }
}
