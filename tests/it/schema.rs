//! The schema as a reviewed file.

#[test]
fn schema_graphql_is_what_the_program_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    let printed = ordo::graphql::sdl();
    assert!(stored == printed, "schema.graphql is stale: run `cargo run -- schema > schema.graphql`");
}

#[test]
fn everything_public_is_described() {
    use async_graphql::parser::{
        parse_schema,
        types::{TypeKind, TypeSystemDefinition},
    };
    let document = parse_schema(ordo::graphql::sdl()).expect("the schema parses");
    let mut bare = Vec::new();
    let mut check = |place: String, described: bool| {
        if !described {
            bare.push(place);
        }
    };
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let (name, definition) = (definition.node.name.node.clone(), definition.node);
        // The library gives Relay's connection types no description of their own, only their fields.
        let connection = name.ends_with("Connection");
        check(name.to_string(), connection || definition.description.is_some());
        let fields = match definition.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            TypeKind::InputObject(input) => {
                for field in input.fields {
                    check(format!("{name}.{}", field.node.name), field.node.description.is_some());
                }
                continue;
            }
            TypeKind::Enum(values) => {
                for value in values.values {
                    check(format!("{name}.{}", value.node.value), value.node.description.is_some());
                }
                continue;
            }
            TypeKind::Scalar | TypeKind::Union(_) => continue,
        };
        for field in fields {
            let field = field.node;
            check(format!("{name}.{}", field.name), field.description.is_some());
            for argument in field.arguments {
                let place = format!("{name}.{}({})", field.name, argument.node.name);
                check(place, argument.node.description.is_some());
            }
        }
    }
    assert!(bare.is_empty(), "without a description: {bare:#?}");
}
