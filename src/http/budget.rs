//! What a request asks for, and whether that is too much. The library's validation walks every spread
//! of a fragment anew, so a short text can cost it seconds and gigabytes; here each fragment is measured
//! once, in time that is linear in the document, before the library sees any of it.

use std::{collections::HashSet, fmt};

use async_graphql::{
    Variables,
    parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition},
};

use super::{
    measure::{Known, Measured, Meter, NESTING, known},
    scan::scan,
};

/// The most that one request may ask for.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Bytes of the text, which the parser takes its time for even where it holds nothing; every field
    /// that can be read, with a line for each, needs less than 100,000.
    pub(super) bytes: usize,
    /// Names, numbers, strings and signs in the text; every field that can be read, selected at once,
    /// needs 3,400.
    pub(super) tokens: usize,
    /// Brackets that are open at one place of the text. The parser recurses once for each.
    pub(super) brackets: usize,
    /// Bytes of the operation's name.
    pub(super) name: usize,
    /// Selection sets within each other, those of fragments included; the library's own limit, which
    /// it has to recurse for.
    pub(super) nesting: usize,
    /// Fields within each other; introspection needs 15.
    pub(super) depth: usize,
    /// Fields, once all fragments are spread: of one operation, and of all operations of the document
    /// together, which the library validates whichever is meant. Every field that can be read, at once,
    /// makes 2,150.
    pub(super) fields: usize,
    /// Fragments spread, named or inline; counted as fields are.
    pub(super) spreads: usize,
    /// Fields under another name, once all fragments are spread.
    pub(super) aliases: usize,
    /// Directives, once all fragments are spread.
    pub(super) directives: usize,
    /// Directives at one place.
    pub(super) directives_at_once: usize,
    /// Fields of the operation itself: each is work of its own, two of one name as well.
    pub(super) roots: usize,
    /// Values in lists, in the text and in the variables that it uses, as often as it uses them.
    pub(super) values: usize,
    /// Fields over all elements of lists: a field counts one, a page what it may hold.
    pub(super) cost: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes: 128 << 10,
            tokens: 5_000,
            brackets: 96,
            name: 128,
            nesting: 32,
            depth: 20,
            fields: 10_000,
            spreads: 2_000,
            aliases: 100,
            directives: 100,
            directives_at_once: 10,
            roots: 50,
            values: 1_000,
            cost: 200_000,
        }
    }
}

/// Why a request is refused before it is validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// It asks for more of something than is allowed.
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much; from [`COUNTED`] on, nobody counted further.
        asked: usize,
        /// How much is allowed.
        allowed: usize,
    },
    /// This fragment spreads itself.
    Endless(String),
    /// A block string has no end.
    OpenString,
}

/// Figures as large as this are not told.
const COUNTED: usize = 1 << 40;

impl Excess {
    /// The stable code of the refusal.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Excess::TooMuch { .. } | Excess::Endless(_) => "TOO_COMPLEX",
            Excess::OpenString => "BAD_USER_INPUT",
        }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Excess::TooMuch { what, asked, allowed } if *asked >= COUNTED => {
                write!(f, "The request asks for more than {allowed} {what}; ask for fewer at once.")
            }
            Excess::TooMuch { what, asked, allowed } => write!(
                f,
                "The request asks for {asked} {what}, at most {allowed} are allowed; ask for fewer at once."
            ),
            Excess::Endless(fragment) => write!(
                f,
                "The fragment `{fragment}` spreads itself, so its depth has no end; take the spread out."
            ),
            Excess::OpenString => f.write_str("A block string has no end; close it with three quotes."),
        }
    }
}

/// The limits, and what the document itself does not tell.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limits: Limits,
    paged: HashSet<&'static str>,
}

impl Budget {
    /// A budget for a schema in which fields of these names are pages.
    pub(super) fn new(limits: Limits, paged: impl IntoIterator<Item = &'static str>) -> Budget {
        Budget { limits, paged: paged.into_iter().collect() }
    }

    /// Checks a text before it is parsed.
    ///
    /// # Errors
    /// What is too much.
    pub(super) fn text(&self, text: &str) -> Result<(), Excess> {
        scan(text, &self.limits)
    }

    /// Checks all that does not depend on variables, in every operation and fragment: the library
    /// validates those that are not used as well.
    ///
    /// # Errors
    /// What is too much.
    pub(super) fn document(&self, document: &ExecutableDocument) -> Result<(), Excess> {
        let mut meter = Meter::new(document, Known::new(), &self.paged, self.limits.nesting);
        let mut all = Measured::default();
        for (_, operation) in document.operations.iter() {
            let measured = meter.operation(&operation.node)?;
            self.shape(&measured)?;
            all = all.and(measured);
        }
        for name in document.fragments.keys() {
            // A fragment's fields need not be the operation's own.
            let measured = Measured { roots: 0, ..meter.fragment(name, 0)? };
            self.shape(&measured)?;
        }
        within("fields in all operations", all.fields, self.limits.fields)?;
        within("fragments spread in all operations", all.spreads, self.limits.spreads)
    }

    /// Measures the operation that a request names, with its variables; all zero where there is none,
    /// which execution refuses.
    ///
    /// # Errors
    /// What is too much.
    pub(super) fn measure(
        &self,
        document: &ExecutableDocument,
        name: Option<&str>,
        variables: &Variables,
    ) -> Result<Measured, Excess> {
        within("bytes in the operation's name", name.map_or(0, str::len), self.limits.name)?;
        let Some(operation) = chosen(document, name) else {
            return Ok(Measured::default());
        };
        let known = known(operation, variables);
        let mut meter = Meter::new(document, known, &self.paged, self.limits.nesting);
        let measured = meter.operation(operation)?;
        self.shape(&measured)?;
        within("values in lists", measured.values, self.limits.values)?;
        within("units of complexity", measured.cost, self.limits.cost)?;
        Ok(measured)
    }

    /// Checks what does not depend on variables.
    fn shape(&self, measured: &Measured) -> Result<(), Excess> {
        let Limits { nesting, depth, fields, spreads, aliases, directives, roots, .. } = self.limits;
        within("aliases", measured.aliases, aliases)?;
        within("directives at one place", measured.directives_at_once, self.limits.directives_at_once)?;
        within("directives", measured.directives, directives)?;
        within("levels of depth", measured.depth, depth)?;
        within(NESTING, measured.nesting, nesting)?;
        within("fields", measured.fields, fields)?;
        within("fragments spread", measured.spreads, spreads)?;
        within("fields of the operation itself", measured.roots, roots)
    }
}

/// Refuses what is more than allowed.
pub(super) fn within(what: &'static str, asked: usize, allowed: usize) -> Result<(), Excess> {
    if asked > allowed { Err(Excess::TooMuch { what, asked, allowed }) } else { Ok(()) }
}

/// The operation that a request means; none where the name is wrong, or is missing among several.
pub(super) fn chosen<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(only), None) => Some(&only.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(named), Some(name)) => named.get(name).map(|found| &found.node),
        (DocumentOperations::Multiple(named), None) => {
            let mut all = named.values();
            all.next().filter(|_| all.next().is_none()).map(|only| &only.node)
        }
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
