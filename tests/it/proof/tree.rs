//! What is selected, as a tree made from the schema, in parts that the server's budget allows.

use std::{collections::BTreeSet, fmt::Write};

use super::sdl::{Field, Kind, Sdl};

/// Work that one document may ask for, in the server's units; well below what it allows.
const MOST_WORK: usize = 120_000;
/// Leaves that one document may hold.
const MOST_LEAVES: usize = 900;
/// What a page holds that does not say.
const PAGE: usize = 25;
/// What a page is asked to hold far within others: more would be beyond the budget.
const DEEP_PAGE: usize = 3;

/// A field that is selected, with what is selected of it.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The type that has the field.
    pub parent: String,
    /// Selected in a fragment on the parent, because the type around it is abstract.
    pub fragment: bool,
    pub field: Field,
    /// In parentheses, or nothing.
    pub arguments: String,
    /// What it is called in the answer.
    pub key: String,
    pub children: Vec<Branch>,
    /// How many elements a page of it holds at most.
    size: usize,
}

impl Branch {
    /// A field of a type with all that it leads to, so many levels deep.
    pub fn full(sdl: &Sdl, parent: &str, field: &Field, depth: usize) -> Branch {
        let mut trail = vec![parent.to_owned()];
        grow(sdl, parent, field, depth, &mut trail)
    }

    /// A field with one thing selected of it.
    pub fn around(parent: &str, field: &Field, inner: Branch) -> Branch {
        Branch {
            parent: parent.to_owned(),
            fragment: false,
            field: field.clone(),
            arguments: String::new(),
            key: field.name.clone(),
            children: vec![Branch { fragment: inner.parent != field.ty.name, ..inner }],
            size: 1,
        }
    }

    /// The same with these arguments, and pages of so many.
    pub fn asking(mut self, arguments: String, size: Option<usize>) -> Branch {
        self.arguments = arguments;
        self.size = size.unwrap_or(self.size);
        self
    }

    /// Selects a leaf as well, if it is not.
    pub fn also(&mut self, sdl: &Sdl, name: &str) {
        if self.selects(name) {
            return;
        }
        let owner = self.field.ty.name.clone();
        let field = sdl.get(&owner).fields.iter().find(|field| field.name == name).cloned();
        let leaf = field.map(|field| Branch::full(sdl, &owner, &field, 0));
        self.children.extend(leaf);
    }

    /// Whether a field of this name is selected of it.
    pub fn selects(&self, name: &str) -> bool {
        self.children.iter().any(|child| child.field.name == name)
    }

    /// The path that the schema names it by.
    pub fn coordinate(&self) -> String {
        format!("{}.{}", self.parent, self.field.name)
    }

    fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }

    fn leaves(&self) -> usize {
        self.children.iter().map(Branch::leaves).sum::<usize>().max(1)
    }

    /// As the server counts it, within lists that hold what they may.
    fn work(&self) -> usize {
        let inner: usize = self.children.iter().map(Branch::work).sum();
        if self.size > 1 { inner * self.size } else { inner + 1 }
    }

    /// In parts that one document each may ask for; together they select all of it.
    pub fn parts(self) -> Vec<Branch> {
        split(self, MOST_WORK, MOST_LEAVES)
    }

    /// The operation that selects it.
    pub fn document(&self, operation: &str) -> String {
        let mut text = format!("{operation} {{ ");
        write_field(self, &mut text);
        text.push('}');
        text
    }
}

fn grow(sdl: &Sdl, parent: &str, field: &Field, depth: usize, trail: &mut Vec<String>) -> Branch {
    let paged = field.arguments.iter().any(|argument| argument.name == "first");
    // A history leads from lines back to orders, and so to all that is paged again.
    let pages = trail.iter().filter(|name| name.ends_with("Connection")).count();
    let deep = paged && (pages > 1 || field.name == "history");
    let mut branch = Branch {
        parent: parent.to_owned(),
        fragment: false,
        field: field.clone(),
        arguments: if deep { format!("(first: {DEEP_PAGE})") } else { String::new() },
        key: field.name.clone(),
        children: Vec::new(),
        size: match (paged, deep) {
            (false, _) => 1,
            (true, false) => PAGE,
            (true, true) => DEEP_PAGE,
        },
    };
    let name = &field.ty.name;
    // A type within itself is shown by its leaves, and ends there.
    let again = trail.contains(name);
    trail.push(name.clone());
    let mut children = Vec::new();
    for owner in owners(sdl, name) {
        for inner in &sdl.get(&owner).fields {
            let leaf = sdl.is_leaf(&inner.ty.name);
            if inner.arguments.iter().any(|argument| argument.required) || (!leaf && (again || depth == 0)) {
                continue;
            }
            let mut child = grow(sdl, &owner, inner, depth.saturating_sub(1), trail);
            child.fragment = owner != *name;
            children.extend((leaf || !child.is_leaf()).then_some(child));
        }
    }
    trail.pop();
    rename_rivals(&mut children);
    branch.children = children;
    branch
}

/// The type itself, and what it may be.
fn owners(sdl: &Sdl, name: &str) -> Vec<String> {
    let mut owners = vec![name.to_owned()];
    if sdl.get(name).kind == Kind::Abstract {
        owners.extend(sdl.get(name).members.iter().cloned());
    }
    owners
}

/// Fields of one name but different types in fragments beside each other need names of their own.
fn rename_rivals(children: &mut [Branch]) {
    let seen: BTreeSet<(String, String)> =
        children.iter().map(|child| (child.field.name.clone(), child.field.ty.text.clone())).collect();
    for child in children.iter_mut().filter(|child| child.fragment) {
        if seen.iter().filter(|(name, _)| *name == child.field.name).count() > 1 {
            child.key = format!("{}_{}", child.parent, child.field.name);
        }
    }
}

fn split(branch: Branch, work: usize, leaves: usize) -> Vec<Branch> {
    if branch.is_leaf() || (branch.work() <= work && branch.leaves() <= leaves) {
        return vec![branch];
    }
    let Branch { children, .. } = &branch;
    let (most, bare) = (work / branch.size.max(1), Branch { children: Vec::new(), ..branch.clone() });
    let mut parts: Vec<Branch> = Vec::new();
    for piece in children.iter().cloned().flat_map(|child| split(child, most, leaves)) {
        let fits = |part: &&mut Branch| {
            let beside: usize = part.children.iter().map(Branch::work).sum();
            beside + piece.work() <= most && part.leaves() + piece.leaves() <= leaves
        };
        match parts.last_mut().filter(fits) {
            Some(part) => part.children.push(piece),
            None => parts.push(Branch { children: vec![piece], ..bare.clone() }),
        }
    }
    parts
}

fn write_field(branch: &Branch, text: &mut String) {
    if branch.key != branch.field.name {
        write!(text, "{}: ", branch.key).expect("text");
    }
    write!(text, "{}{} ", branch.field.name, branch.arguments).expect("text");
    if branch.is_leaf() {
        return;
    }
    text.push_str("{ ");
    let fragments: BTreeSet<&str> =
        branch.children.iter().filter(|child| child.fragment).map(|child| child.parent.as_str()).collect();
    if !fragments.is_empty() {
        text.push_str("__typename ");
    }
    branch.children.iter().filter(|child| !child.fragment).for_each(|child| write_field(child, text));
    for fragment in fragments {
        write!(text, "... on {fragment} {{ ").expect("text");
        let inside = branch.children.iter().filter(|child| child.fragment && child.parent == fragment);
        inside.for_each(|child| write_field(child, text));
        text.push_str("} ");
    }
    text.push_str("} ");
}
