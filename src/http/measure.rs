//! The figures of an operation, and how they come together: each fragment is measured once, and what it
//! holds is added wherever it is spread.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Number, Positioned, Variables,
    parser::types::{
        Directive, ExecutableDocument, Field, FragmentDefinition, FragmentSpread, OperationDefinition,
        Selection, SelectionSet,
    },
};
use async_graphql_value::{ConstValue, Value};

use super::budget::Excess;
use crate::graphql::paging::cost;

/// What [`Measured::nesting`] counts, in words.
pub(super) const NESTING: &str = "levels of depth, fragments counted";

/// What an operation asks for, its fragments included; no figure overflows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measured {
    /// See [`super::budget::Limits::nesting`].
    pub(super) nesting: usize,
    /// See [`super::budget::Limits::depth`].
    pub(super) depth: usize,
    /// See [`super::budget::Limits::fields`].
    pub(super) fields: usize,
    /// See [`super::budget::Limits::spreads`].
    pub(super) spreads: usize,
    /// See [`super::budget::Limits::aliases`].
    pub(super) aliases: usize,
    /// See [`super::budget::Limits::directives`].
    pub(super) directives: usize,
    /// See [`super::budget::Limits::directives_at_once`].
    pub(super) directives_at_once: usize,
    /// See [`super::budget::Limits::roots`].
    pub(super) roots: usize,
    /// See [`super::budget::Limits::values`].
    pub(super) values: usize,
    /// See [`super::budget::Limits::cost`].
    pub(super) cost: usize,
}

impl Measured {
    /// Both, beside each other in one selection set.
    pub(super) fn and(self, other: Measured) -> Measured {
        Measured {
            nesting: self.nesting.max(other.nesting),
            depth: self.depth.max(other.depth),
            fields: self.fields.saturating_add(other.fields),
            spreads: self.spreads.saturating_add(other.spreads),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            directives_at_once: self.directives_at_once.max(other.directives_at_once),
            roots: self.roots.saturating_add(other.roots),
            values: self.values.saturating_add(other.values),
            cost: self.cost.saturating_add(other.cost),
        }
    }
}

/// The operation's variables: their values, and how many values these have in lists. Counted here, once,
/// because a variable may be used many times.
pub(super) type Known<'a> = HashMap<&'a str, (&'a ConstValue, usize)>;

/// The variables of an operation, as the request gives them.
pub(super) fn known<'a>(operation: &'a OperationDefinition, variables: &'a Variables) -> Known<'a> {
    let definitions = operation.variable_definitions.iter().map(|definition| &definition.node);
    let values = definitions.filter_map(|definition| {
        let name = &definition.name.node;
        let value = variables.get(name).or_else(|| definition.default_value())?;
        Some((name.as_str(), (value, listed(value))))
    });
    values.collect()
}

/// How many values stand in lists.
fn listed(value: &ConstValue) -> usize {
    let (mut left, mut count) = (vec![value], 0);
    while let Some(value) = left.pop() {
        match value {
            ConstValue::List(list) => {
                count += list.len();
                left.extend(list);
            }
            ConstValue::Object(fields) => left.extend(fields.values()),
            _ => {}
        }
    }
    count
}

/// Measures one document.
pub(super) struct Meter<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// Names of fields that are pages, whether they say so or not.
    paged: &'a HashSet<&'static str>,
    /// How many selection sets may be within each other.
    nesting: usize,
    variables: Known<'a>,
    /// The fragments met so far; nothing for those that are being measured.
    met: HashMap<&'a str, Option<Measured>>,
}

impl<'a> Meter<'a> {
    /// Nothing measured yet.
    pub(super) fn new(
        document: &'a ExecutableDocument,
        variables: Known<'a>,
        paged: &'a HashSet<&'static str>,
        nesting: usize,
    ) -> Meter<'a> {
        Meter { fragments: &document.fragments, paged, nesting, variables, met: HashMap::new() }
    }

    /// Measures an operation.
    ///
    /// # Errors
    /// Where it goes too deep, or a fragment spreads itself.
    pub(super) fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Measured, Excess> {
        let mut sum = self.set(&operation.selection_set.node, 0)?.and(self.marked(&operation.directives));
        for variable in &operation.variable_definitions {
            sum = sum.and(self.marked(&variable.node.directives));
        }
        Ok(sum)
    }

    /// A selection set within so many others. Ends at the limit, so this never recurses deeper, however
    /// many fragments follow each other.
    fn set(&mut self, set: &'a SelectionSet, level: usize) -> Result<Measured, Excess> {
        if level > self.nesting {
            return Err(Excess::TooMuch { what: NESTING, asked: usize::MAX, allowed: self.nesting });
        }
        let mut sum = Measured::default();
        for selection in &set.items {
            sum = sum.and(match &selection.node {
                Selection::Field(field) => self.field(&field.node, level)?,
                Selection::FragmentSpread(spread) => self.spread(&spread.node, level)?,
                Selection::InlineFragment(inline) => {
                    let inner = self.set(&inline.node.selection_set.node, level + 1)?;
                    spread_out(inner).and(self.marked(&inline.node.directives))
                }
            });
        }
        Ok(sum)
    }

    fn field(&mut self, field: &'a Field, level: usize) -> Result<Measured, Excess> {
        let set = &field.selection_set.node;
        let inner = match set.items.is_empty() {
            true => Measured::default(),
            false => self.set(set, level + 1)?,
        };
        let values = field.arguments.iter().map(|(_, value)| self.listed(&value.node));
        let own = Measured {
            nesting: inner.nesting + usize::from(!set.items.is_empty()),
            depth: inner.depth + 1,
            fields: inner.fields.saturating_add(1),
            aliases: inner.aliases.saturating_add(usize::from(field.alias.is_some())),
            roots: 1,
            values: values.fold(inner.values, usize::saturating_add),
            cost: match self.page(field) {
                Some(size) => cost(size, inner.cost),
                None => inner.cost.saturating_add(1),
            },
            ..inner
        };
        Ok(own.and(self.marked(&field.directives)))
    }

    /// A fragment, spread; nothing where there is none of that name, which the library refuses.
    fn spread(&mut self, spread: &'a FragmentSpread, level: usize) -> Result<Measured, Excess> {
        let inner = self.fragment(&spread.fragment_name.node, level + 1)?;
        Ok(spread_out(inner).and(self.marked(&spread.directives)))
    }

    /// Measures a fragment, once, within so many selection sets; all zero where there is none of that name.
    ///
    /// # Errors
    /// As for an operation.
    pub(super) fn fragment(&mut self, name: &'a Name, level: usize) -> Result<Measured, Excess> {
        match self.met.get(name.as_str()) {
            Some(Some(measured)) => return Ok(*measured),
            Some(None) => return Err(Excess::Endless(name.to_string())),
            None => {}
        }
        let Some(fragment) = self.fragments.get(name) else {
            return Ok(Measured::default());
        };
        self.met.insert(name, None);
        let inner = self.set(&fragment.node.selection_set.node, level)?;
        let measured = inner.and(self.marked(&fragment.node.directives));
        self.met.insert(name, Some(measured));
        Ok(measured)
    }

    /// The directives at one place.
    fn marked(&self, directives: &'a [Positioned<Directive>]) -> Measured {
        let arguments = directives.iter().flat_map(|directive| &directive.node.arguments);
        let values = arguments.map(|(_, value)| self.listed(&value.node));
        Measured {
            directives: directives.len(),
            directives_at_once: directives.len(),
            values: values.fold(0, usize::saturating_add),
            ..Measured::default()
        }
    }

    /// Whether a field is a page, and of which size if that is said: as the field's own resolver reads it.
    fn page(&self, field: &Field) -> Option<Option<i32>> {
        let argument = |name| field.get_argument(name).map(|value| &value.node);
        if let Some(ids) = argument("ids") {
            return Some(Some(self.length(ids)));
        }
        let (first, last) = (argument("first"), argument("last"));
        let is_page = first.is_some() || last.is_some() || self.paged.contains(field.name.node.as_str());
        let size = |value: Option<&Value>| value.and_then(|value| self.number(value));
        is_page.then(|| size(first).or_else(|| size(last)))
    }

    /// A number in an argument; what is no number is refused later and counts as the largest.
    fn number(&self, value: &Value) -> Option<i32> {
        match value {
            Value::Null => None,
            Value::Number(number) => Some(clamped(number)),
            Value::Variable(name) => match self.variables.get(name.as_str())?.0 {
                ConstValue::Null => None,
                ConstValue::Number(number) => Some(clamped(number)),
                _ => Some(i32::MAX),
            },
            _ => Some(i32::MAX),
        }
    }

    /// The length of a list in an argument; a value that is no list counts as a list of one.
    fn length(&self, value: &Value) -> i32 {
        let length = match value {
            Value::List(list) => list.len(),
            Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some((ConstValue::List(list), _)) => list.len(),
                _ => 1,
            },
            _ => 1,
        };
        i32::try_from(length).unwrap_or(i32::MAX)
    }

    /// How many values stand in lists, those of variables included.
    fn listed(&self, value: &Value) -> usize {
        let (mut left, mut count) = (vec![value], 0_usize);
        while let Some(value) = left.pop() {
            match value {
                Value::List(list) => {
                    count = count.saturating_add(list.len());
                    left.extend(list);
                }
                Value::Object(fields) => left.extend(fields.values()),
                Value::Variable(name) => {
                    let listed = self.variables.get(name.as_str()).map_or(0, |(_, listed)| *listed);
                    count = count.saturating_add(listed);
                }
                _ => {}
            }
        }
        count
    }
}

/// What a fragment holds, where it is spread.
fn spread_out(inner: Measured) -> Measured {
    Measured { nesting: inner.nesting + 1, spreads: inner.spreads.saturating_add(1), ..inner }
}

fn clamped(number: &Number) -> i32 {
    number.as_i64().map_or(i32::MAX, |n| i32::try_from(n).unwrap_or(if n < 0 { 0 } else { i32::MAX }))
}
