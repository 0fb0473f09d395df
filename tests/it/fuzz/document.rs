//! Documents and values out of thin air: mostly what the schema wants, and now and then anything at all.

use std::fmt::Write;

use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

use crate::proof::sdl::{Field, Input, Kind, Ref, Sdl};

/// Makes things up.
pub struct Fuzz<'a> {
    pub random: StdRng,
    pub sdl: &'a Sdl,
    /// Texts and ids that mean something here.
    pub words: &'a [String],
    /// Definitions of variables and their values, as the document comes to use them.
    pub variables: Vec<(String, Value)>,
    /// Whether nothing odd happens: what is made then is valid, if often refused by the rules.
    pub sober: bool,
    /// How many aliases there are.
    pub aliases: u32,
}

/// Values that nobody asked for.
fn oddities() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(-0.0),
        json!(0.1),
        json!(""),
        json!("\u{0}"),
        json!("NaN"),
        json!("-Infinity"),
        json!("\u{202E}\u{FEFF}\u{1F9EA}"),
        json!("x".repeat(20_000)),
        json!("1e9"),
        json!("79228162514264337593543950335"),
        json!("9999-12-31"),
        json!("-262143-01-01T00:00:00Z"),
        json!("order_"),
        json!("'; DROP TABLE orders; --"),
        json!([]),
        json!([[[[[[[[1]]]]]]]]),
        json!({}),
        json!({ "in": null, "\u{0}": [] }),
    ]
}

impl Fuzz<'_> {
    /// Whether something with a chance of one in `n` happens.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.random.random_ratio(1, n)
    }

    /// Whether something odd with a chance of one in `n` happens.
    fn oddly(&mut self, n: u32) -> bool {
        !self.sober && self.one_in(n)
    }

    /// One of them.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.random.random_range(0..from.len())].clone()
    }

    fn word(&mut self) -> Value {
        self.pick(self.words).into()
    }

    /// Anything at all.
    pub fn junk(&mut self, depth: u32) -> Value {
        match self.random.random_range(0..8) {
            0 if depth > 0 => (0..self.random.random_range(0..4)).map(|_| self.junk(depth - 1)).collect(),
            1 if depth > 0 => {
                let key = self.pick(&["id", "in", "a\u{0}", "amount", "new", "order"]);
                json!({ key: self.junk(depth - 1) })
            }
            2 | 3 => self.word(),
            _ => self.pick(&oddities()),
        }
    }

    /// A value for a type, one in eight times another.
    pub fn value(&mut self, ty: &Ref, depth: u32) -> Value {
        if self.oddly(12) {
            return self.junk(3);
        }
        let one = self.named(&ty.name, depth);
        match ty.list {
            true => {
                let more = self.random.random_range(0..3);
                let mut all = vec![one];
                all.extend((0..more).map(|_| self.named(&ty.name, depth)));
                all.into()
            }
            false => one,
        }
    }

    fn named(&mut self, name: &str, depth: u32) -> Value {
        let sdl = self.sdl;
        let ty = sdl.get(name);
        match ty.kind {
            Kind::Enum => self.pick(&ty.values).into(),
            Kind::Input if depth == 0 => json!({}),
            Kind::Input => {
                let mut object = serde_json::Map::new();
                let only = self.random.random_range(0..ty.inputs.len());
                for (at, input) in ty.inputs.iter().enumerate() {
                    let wanted = if ty.one_of { at == only } else { input.required || self.one_in(3) };
                    if wanted || self.oddly(40) {
                        object.insert(input.name.clone(), self.value(&input.ty, depth - 1));
                    }
                }
                object.into()
            }
            _ => self.scalar(name),
        }
    }

    fn scalar(&mut self, name: &str) -> Value {
        match name {
            "Int" if self.sober => self.pick(&[json!(1), json!(5), json!(100)]),
            "Decimal" if self.sober => json!("1.00"),
            "CurrencyCode" if self.sober => json!("EUR"),
            "DateTime" if self.sober => json!("2026-03-02T09:00:00Z"),
            "Date" if self.sober => json!("2030-01-01"),
            "JSON" if self.sober => json!({ "a": [1, { "b": null }] }),
            "Int" => self.pick(&[json!(1), json!(2), json!(100), json!(0), json!(-1), json!(i32::MAX)]),
            "Boolean" => self.pick(&[json!(true), json!(false)]),
            "Decimal" => self.pick(&[json!("1.00"), json!("0"), json!("-5"), json!("0.0001")]),
            "CurrencyCode" => self.pick(&[json!("EUR"), json!("USD"), json!("eur")]),
            "DateTime" => self.pick(&[json!("2026-03-02T09:00:00Z"), json!("2026-02-30T25:00:00Z")]),
            "Date" => self.pick(&[json!("2030-01-01"), json!("0000-00-00")]),
            "JSON" => self.junk(4),
            "ID" if self.sober => {
                let ids: Vec<String> =
                    self.words.iter().filter(|word| crate::proof::is_id(word)).cloned().collect();
                self.pick(&ids).into()
            }
            _ => self.word(),
        }
    }

    /// A whole operation, with fragments and variables; what it needs besides is in `variables`.
    pub fn operation(&mut self, kind: &str) -> String {
        let root = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
        let roots = self.sdl.roots(&root);
        let count = if kind == "query" { self.random.random_range(1..4) } else { 1 };
        let mut body = String::new();
        for at in 0..count {
            let field = self.pick(roots);
            write!(body, "r{at}: ").expect("text");
            self.field(&field, 5, &mut body);
        }
        let defined: Vec<String> = self.variables.iter().map(|(name, _)| name.clone()).collect();
        let defined = if defined.is_empty() { String::new() } else { format!("({})", defined.join(", ")) };
        let name = self.pick(&["", "", "Named", "query"]);
        let fragment = if self.oddly(10) { " fragment F on Order { id ...F }" } else { "" };
        format!("{kind} {name}{defined} {{ {body} }}{fragment}")
    }

    /// The values of the variables that the last operation defined.
    pub fn values(&mut self) -> Value {
        let all = self.variables.drain(..).map(|(definition, value)| {
            (definition[1..].split(':').next().unwrap_or_default().to_owned(), value)
        });
        Value::Object(all.collect())
    }

    fn field(&mut self, field: &Field, depth: u32, text: &mut String) {
        text.push_str(&field.name);
        let arguments: Vec<Input> =
            field.arguments.iter().filter(|it| it.required || self.one_in(3)).cloned().collect();
        if !arguments.is_empty() {
            let each: Vec<String> = arguments.iter().map(|it| self.argument(it)).collect();
            write!(text, "({})", each.join(", ")).expect("text");
        }
        if self.one_in(12) {
            let sound = [" @include(if: true)", " @skip(if: false)"];
            let odd = [" @skip(if: 7)", " @what", " @include", " @include(if: true) @include(if: true)"];
            text.push_str(if self.oddly(2) { self.pick(&odd) } else { self.pick(&sound) });
        }
        text.push(' ');
        if !self.sdl.is_leaf(&field.ty.name) {
            self.selection(&field.ty.name, depth, text);
        }
    }

    fn argument(&mut self, input: &Input) -> String {
        let value = self.value(&input.ty, 4);
        if self.one_in(2) {
            let name = format!("v{}", self.variables.len());
            let ty = if self.oddly(20) { "String" } else { &input.ty.text };
            self.variables.push((format!("${name}: {ty}"), value));
            return format!("{}: ${name}", input.name);
        }
        format!("{}: {}", input.name, literal(&value))
    }

    fn selection(&mut self, name: &str, depth: u32, text: &mut String) {
        let sdl = self.sdl;
        let ty = sdl.get(name);
        text.push_str("{ __typename ");
        let mut fields: Vec<&Field> =
            ty.fields.iter().filter(|field| depth > 0 || sdl.is_leaf(&field.ty.name)).collect();
        for _ in 0..self.random.random_range(1..6) {
            if fields.is_empty() {
                break;
            }
            let field = fields.swap_remove(self.random.random_range(0..fields.len()));
            if self.one_in(5) {
                // Names of their own, or names that are taken.
                self.aliases += 1;
                let alias = if self.oddly(2) { self.random.random_range(0..9) } else { self.aliases };
                write!(text, "a{alias}: ").expect("text");
            }
            self.field(field, depth.saturating_sub(1), text);
        }
        if let Some(at) = (!ty.members.is_empty()).then(|| self.random.random_range(0..ty.members.len())) {
            write!(text, "... on {} ", ty.members[at]).expect("text");
            self.selection(&ty.members[at], depth.saturating_sub(1), text);
        }
        if self.oddly(25) {
            text.push_str(self.pick(&["... on Nothing { id } ", "...F ", "noSuchField ", "... { id } "]));
        }
        text.push_str("} ");
    }

    /// A document that was sound once.
    pub fn damaged(&mut self, document: &str) -> String {
        let mut bytes = document.as_bytes().to_vec();
        for _ in 0..self.random.random_range(1..4) {
            let at = self.random.random_range(0..bytes.len().max(1)).min(bytes.len());
            match self.random.random_range(0..5) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << self.random.random_range(0..7),
                2 => {
                    let end = (at + self.random.random_range(0..60)).min(bytes.len());
                    let again = bytes[at..end].repeat(self.random.random_range(1..20));
                    bytes.splice(at..at, again);
                }
                _ => {
                    let bits = [
                        "{",
                        "}",
                        "(",
                        ")",
                        "...",
                        "$",
                        "@",
                        "\"",
                        "\"\"\"",
                        "\u{0}",
                        "\u{FEFF}",
                        "#",
                        "fragment ",
                        "{a:",
                        "[[[[[[[[[[[[",
                        "1e999",
                        "\\u{110000}",
                        "\u{1F9EA}",
                        "...F",
                        "query ",
                        "null",
                        "-",
                    ];
                    let bit = self.pick(&bits).repeat(self.random.random_range(1..40));
                    bytes.splice(at..at, bit.into_bytes());
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A value as GraphQL writes it; an enum's value is told by its letters.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) if is_enum(text) => text.clone(),
        Value::Array(values) => format!("[{}]", values.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let each = fields.iter().map(|(name, value)| format!("{name}: {}", literal(value)));
            format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn is_enum(text: &str) -> bool {
    text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}
