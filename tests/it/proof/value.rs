//! Values for arguments and inputs, made from their types: what a name means is said in one dictionary,
//! and a name that is not in it fails the test with its coordinate.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Map, Value, json};

use super::sdl::{Input, Kind, Sdl};

/// Whose thing a value names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Own,
    Foreign,
    Missing,
}

/// What a viewer can name: things of its own, things out of reach, and things that do not exist.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub own: BTreeMap<String, String>,
    pub foreign: BTreeMap<String, String>,
    pub missing: BTreeMap<String, String>,
}

impl Names {
    /// A thing by what it is; one that does not exist where the viewer has none.
    pub fn get(&self, whose: Whose, what: &str) -> Option<&String> {
        let named = match whose {
            Whose::Own => &self.own,
            Whose::Foreign => &self.foreign,
            Whose::Missing => &self.missing,
        };
        let own = || self.missing.get(what).filter(|_| whose == Whose::Own);
        named.get(what).or_else(own)
    }
}

/// Where in a value something is named, and what.
#[derive(Clone, Debug)]
pub struct Way {
    /// Fields, outermost first.
    pub steps: Vec<String>,
    pub what: &'static str,
}

/// A value, and the coordinates that it fills.
#[derive(Clone, Debug)]
pub struct Sample {
    pub value: Value,
    pub fills: BTreeSet<String>,
}

/// What an ID or a text names, if it names something that somebody owns.
fn thing(coordinate: &str, name: &str) -> Option<&'static [&'static str]> {
    Some(match coordinate {
        "OrderBy.id" => &["order"],
        "OrderBy.number" => &["number"],
        "CustomerInput.id" => &["customer"],
        "ExternalReferenceInput.reference" => &["reference"],
        "LoginInput.email" => &["email"],
        "UserWhereInput.organization" => &["customer"],
        "Query.rightsChanges(user:)" => &["csr"],
        _ => match name {
            "order" | "orderIds" => &["order"],
            "customer" => &["customer"],
            "provider" => &["provider"],
            "csr" => &["csr"],
            "agent" | "deliveryAgent" => &["agent"],
            "product" => &["product"],
            "attempt" => &["attempt"],
            "items" | "item" => &["item"],
            "payment" => &["payment"],
            "resource" => &["resource"],
            "user" => &["account"],
            "organization" => &["employer"],
            "offerings" => &["offering"],
            "invitation" => &["invitation"],
            "serviceToken" => &["serviceToken"],
            "schedule" => &["schedule"],
            "job" => &["job"],
            "id" | "ids" => {
                &["order", "customer", "provider", "product", "csr", "serviceToken", "job", "resource"]
            }
            _ => return None,
        },
    })
}

/// Texts that name something.
const TEXTS: [&str; 3] = ["OrderBy.number", "ExternalReferenceInput.reference", "LoginInput.email"];

/// What a text says, by the name it goes under.
fn text(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "action" => &["cancel", "no_such_action"],
        "from" => &["draft"],
        "to" => &["processing"],
        "code" | "workflow" => &["cloud", "no_such_workflow"],
        "status" => &["draft", "no_such_status"],
        "number" => &["0123456789"],
        "reason" | "body" | "message" | "traceback" | "customerNote" => &["said by the proof"],
        "reference" | "externalReference" | "tags" => &["proof-1"],
        "backendId" | "name" | "city" | "region" | "lines" | "postalCode" | "phone" => &["Proof"],
        "country" => &["DE"],
        "email" => &["proof@example.test"],
        "timeZone" => &["Europe/Berlin"],
        "search" => &["mk-"],
        "password" | "confirm" | "current" | "new" | "token" | "refreshToken" => &["not-the-secret"],
        "actions" => &["validate"],
        // An operation within an operation: what a stream is asked for.
        "query" => &["subscription Proof { orderEvents { kind orderId } }"],
        "operationName" => &["Proof"],
        "label" | "description" | "publicLabel" => &["Proof"],
        "publicCode" => &["proof"],
        "color" => &["#7c3aed"],
        "definition" => &["code = \"proof\""],
        // A cursor elsewhere: of an input it is the status behind which another one is listed.
        "after" => &["pending"],
        _ => return None,
    })
}

/// Cursors belong to a page and are tried where pages are.
pub fn is_cursor(name: &str) -> bool {
    matches!(name, "after" | "before")
}

fn number(name: &str) -> Option<i64> {
    match name {
        "first" | "last" => Some(3),
        "expectedVersion" | "expectedRevision" => Some(99),
        "quantity" | "fence" | "version" | "fromVersion" => Some(1),
        "toVersion" => Some(2),
        "leaseSeconds" | "stallsAfter" => Some(60),
        _ => None,
    }
}

static KEYS: AtomicU64 = AtomicU64::new(0);

/// Makes values for one viewer.
#[derive(Clone, Copy, Debug)]
pub struct Maker<'a> {
    pub sdl: &'a Sdl,
    pub names: &'a Names,
    /// Whose things are tried.
    pub tried: &'a [Whose],
}

impl Maker<'_> {
    /// Everything that is worth trying at a coordinate; `around` is the name outside, for `in`.
    pub fn samples(&self, coordinate: &str, input: &Input, around: &str) -> Vec<Sample> {
        let name = if input.name == "in" { around } else { &input.name };
        let ty = self.sdl.get(&input.ty.name);
        let mut samples = match ty.kind {
            Kind::Input => self.objects(&input.ty.name, name),
            Kind::Enum => ty.values.iter().map(|value| enumerated(&input.ty.name, value)).collect(),
            _ => self.scalars(coordinate, input, name).into_iter().map(bare).collect(),
        };
        if input.ty.list {
            let many = thing(coordinate, name).is_some() && ty.kind == Kind::Scalar;
            samples = if many { vec![together(&samples)] } else { samples.into_iter().map(listed).collect() };
        }
        assert!(!samples.is_empty(), "no value can be made for {coordinate}: tell it in proof/value.rs");
        samples.iter_mut().for_each(|sample| {
            sample.fills.insert(coordinate.to_owned());
        });
        samples
    }

    fn scalars(&self, coordinate: &str, input: &Input, name: &str) -> Vec<Value> {
        let things = thing(coordinate, name);
        if let Some(what) = things.filter(|_| input.ty.name == "ID" || TEXTS.contains(&coordinate)) {
            let each = self.tried.iter().flat_map(|whose| what.iter().map(|it| (*whose, *it)));
            return each
                .filter_map(|(whose, what)| self.names.get(whose, what))
                .map(|it| json!(it))
                .collect();
        }
        match input.ty.name.as_str() {
            "Boolean" => vec![json!(true), json!(false)],
            "Int" => number(name).map(Value::from).into_iter().collect(),
            "String" if name == "idempotencyKey" => {
                vec![json!(format!("proof-{}", KEYS.fetch_add(1, Ordering::Relaxed)))]
            }
            "String" => text(name).unwrap_or_default().iter().copied().map(Value::from).collect(),
            "DateTime" if ["expiresAt", "at"].contains(&name) => vec![json!("2030-01-01T00:00:00.000Z")],
            "DateTime" => vec![json!("2026-01-01T00:00:00.000Z")],
            "Date" => vec![json!("2030-01-01")],
            "Decimal" => vec![json!("1.00")],
            "CurrencyCode" => vec![json!("EUR")],
            "JSON" if name == "variables" => vec![json!({})],
            "JSON" => vec![json!({ "proof": 1 })],
            _ => Vec::new(),
        }
    }

    /// The least, the most, and every other value once.
    fn objects(&self, name: &str, around: &str) -> Vec<Sample> {
        let ty = self.sdl.get(name);
        let fields: Vec<(&Input, Vec<Sample>)> = ty
            .inputs
            .iter()
            .map(|input| (input, self.samples(&format!("{name}.{}", input.name), input, around)))
            .collect();
        let object = |chosen: &[(&str, &Sample)]| Sample {
            value: chosen
                .iter()
                .map(|(key, it)| ((*key).to_owned(), it.value.clone()))
                .collect::<Map<_, _>>()
                .into(),
            fills: chosen.iter().flat_map(|(_, it)| it.fills.clone()).collect(),
        };
        if ty.one_of {
            let each = fields.iter().flat_map(|(input, samples)| samples.iter().map(|it| (&*input.name, it)));
            return each.map(|chosen| object(&[chosen])).collect();
        }
        let least: Vec<(&str, &Sample)> = fields
            .iter()
            .filter(|(input, _)| input.required)
            .map(|(input, samples)| (&*input.name, &samples[0]))
            .collect();
        let most: Vec<(&str, &Sample)> =
            fields.iter().map(|(input, samples)| (&*input.name, &samples[0])).collect();
        let mut made = vec![object(&most), object(&least)];
        for (input, samples) in &fields {
            let one_alone = usize::from(input.required);
            for sample in samples.iter().skip(one_alone) {
                let mut chosen: Vec<_> =
                    least.iter().copied().filter(|(key, _)| *key != input.name).collect();
                chosen.push((&input.name, sample));
                made.push(object(&chosen));
            }
        }
        made
    }

    /// The ways to every value inside that names something somebody owns, and what it can be.
    pub fn things(&self, coordinate: &str, input: &Input, around: &str) -> Vec<Way> {
        let name = if input.name == "in" { around } else { &input.name };
        let ty = self.sdl.get(&input.ty.name);
        if ty.kind != Kind::Input {
            let owned = thing(coordinate, name).is_some() && matches!(&*input.ty.name, "ID" | "String");
            let what = thing(coordinate, name).filter(|_| owned).unwrap_or_default();
            return what.iter().map(|what| Way { steps: Vec::new(), what }).collect();
        }
        let inside = ty.inputs.iter().flat_map(|field| {
            let coordinate = format!("{}.{}", input.ty.name, field.name);
            let ways = self.things(&coordinate, field, name).into_iter();
            let along = |Way { steps, what }| Way { steps: [vec![field.name.clone()], steps].concat(), what };
            ways.map(along).collect::<Vec<_>>()
        });
        inside.collect()
    }

    /// The least value that has something at the end of `way`, and there somebody's.
    pub fn naming(
        &self,
        input: &Input,
        around: &str,
        (way, what): (&[String], &str),
        whose: Whose,
    ) -> Option<Value> {
        let name = if input.name == "in" { around } else { &input.name };
        let ty = self.sdl.get(&input.ty.name);
        let list = |value: Value| if input.ty.list { json!([value]) } else { value };
        let Some((next, rest)) = way.split_first() else {
            return Some(list(self.names.get(whose, what)?.clone().into()));
        };
        let own = Maker { tried: &[Whose::Own], ..*self };
        let mut object = Map::new();
        for field in &ty.inputs {
            let coordinate = format!("{}.{}", input.ty.name, field.name);
            if field.name == *next {
                object.insert(field.name.clone(), self.naming(field, name, (rest, what), whose)?);
            } else if field.required && !ty.one_of {
                // The second of an object's samples is the least.
                let samples = own.samples(&coordinate, field, name);
                let least = samples.get(1).filter(|_| self.sdl.get(&field.ty.name).kind == Kind::Input);
                object.insert(field.name.clone(), least.unwrap_or(&samples[0]).value.clone());
            }
        }
        Some(list(object.into()))
    }
}

fn bare(value: Value) -> Sample {
    Sample { value, fills: BTreeSet::new() }
}

fn enumerated(name: &str, value: &str) -> Sample {
    Sample { value: value.into(), fills: BTreeSet::from([format!("{name}.{value}")]) }
}

fn listed(sample: Sample) -> Sample {
    Sample { value: json!([sample.value]), ..sample }
}

fn together(samples: &[Sample]) -> Sample {
    Sample { value: samples.iter().map(|sample| sample.value.clone()).collect(), fills: BTreeSet::new() }
}
