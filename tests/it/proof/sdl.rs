//! The schema as data, read from its own text: whatever is added to it later is visited without a word
//! added here.

use std::collections::BTreeMap;

use async_graphql::parser::{
    parse_schema,
    types::{BaseType, FieldDefinition, InputValueDefinition, TypeKind, TypeSystemDefinition},
};

/// A schema.
#[derive(Debug, Default)]
pub struct Sdl {
    /// By name.
    pub types: BTreeMap<String, Type>,
}

/// What a type is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    Object,
    Abstract,
    Input,
    Enum,
    #[default]
    Scalar,
}

/// A type; what a kind does not have is empty.
#[derive(Debug, Default)]
pub struct Type {
    pub kind: Kind,
    /// Fields to select.
    pub fields: Vec<Field>,
    /// Fields to fill in.
    pub inputs: Vec<Input>,
    /// Exactly one field is to be filled in.
    pub one_of: bool,
    /// The values of an enum.
    pub values: Vec<String>,
    /// The objects that an interface or union may be.
    pub members: Vec<String>,
}

/// A field that can be selected.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: Ref,
    pub arguments: Vec<Input>,
}

/// An argument, or a field of an input.
#[derive(Clone, Debug)]
pub struct Input {
    pub name: String,
    pub ty: Ref,
    /// Whether it must be given.
    pub required: bool,
}

/// A type where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    /// As it is written: `[ID!]!`.
    pub text: String,
    /// The named type inside: `ID`.
    pub name: String,
    pub list: bool,
}

impl Sdl {
    /// The schema that this program serves.
    pub fn of_the_program() -> Sdl {
        let document = parse_schema(ordo::graphql::sdl()).expect("the schema parses");
        let mut sdl = Sdl::default();
        for scalar in ["ID", "Int", "Float", "String", "Boolean"] {
            sdl.types.insert(scalar.to_owned(), Type::default());
        }
        let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            let one_of = definition.node.directives.iter().any(|it| it.node.name.node == "oneOf");
            if let TypeKind::Object(object) = &definition.node.kind {
                for interface in &object.implements {
                    members.entry(interface.node.to_string()).or_default().push(name.clone());
                }
            }
            sdl.types.insert(name, Type { one_of, ..read(definition.node.kind) });
        }
        for (interface, objects) in members {
            sdl.types.get_mut(&interface).expect("a known interface").members = objects;
        }
        sdl
    }

    /// A type that the schema has.
    pub fn get(&self, name: &str) -> &Type {
        self.types.get(name).unwrap_or_else(|| panic!("the schema names no type `{name}`"))
    }

    /// The fields of an operation: `Query`, `Mutation`, `Subscription`.
    pub fn roots(&self, operation: &str) -> &[Field] {
        self.types.get(operation).map(|root| root.fields.as_slice()).unwrap_or_default()
    }

    /// Whether a value of this type has no fields of its own.
    pub fn is_leaf(&self, name: &str) -> bool {
        matches!(self.get(name).kind, Kind::Enum | Kind::Scalar)
    }
}

fn read(kind: TypeKind) -> Type {
    let plain = |kind| Type { kind, ..Type::default() };
    match kind {
        TypeKind::Object(object) => {
            let fields = object.fields.into_iter().map(|it| field(it.node)).collect();
            Type { fields, ..plain(Kind::Object) }
        }
        TypeKind::Interface(interface) => {
            let fields = interface.fields.into_iter().map(|it| field(it.node)).collect();
            Type { fields, ..plain(Kind::Abstract) }
        }
        TypeKind::Union(union) => {
            let members = union.members.into_iter().map(|it| it.node.to_string()).collect();
            Type { members, ..plain(Kind::Abstract) }
        }
        TypeKind::InputObject(object) => {
            let inputs = object.fields.into_iter().map(|it| input(it.node)).collect();
            Type { inputs, ..plain(Kind::Input) }
        }
        TypeKind::Enum(values) => {
            let values = values.values.into_iter().map(|it| it.node.value.node.to_string()).collect();
            Type { values, ..plain(Kind::Enum) }
        }
        TypeKind::Scalar => plain(Kind::Scalar),
    }
}

fn field(definition: FieldDefinition) -> Field {
    Field {
        name: definition.name.node.to_string(),
        ty: reference(&definition.ty.node),
        arguments: definition.arguments.into_iter().map(|it| input(it.node)).collect(),
    }
}

fn input(definition: InputValueDefinition) -> Input {
    let ty = definition.ty.node;
    Input {
        name: definition.name.node.to_string(),
        required: !ty.nullable && definition.default_value.is_none(),
        ty: reference(&ty),
    }
}

fn reference(ty: &async_graphql::parser::types::Type) -> Ref {
    let mut inner = ty;
    let mut list = false;
    let name = loop {
        match &inner.base {
            BaseType::Named(name) => break name.to_string(),
            BaseType::List(of) => {
                list = true;
                inner = of;
            }
        }
    };
    Ref { text: ty.to_string(), name, list }
}
