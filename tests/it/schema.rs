//! The schema as a reviewed file.

#[test]
fn schema_graphql_is_what_the_program_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    let printed = ordo::graphql::sdl();
    assert!(stored == printed, "schema.graphql is stale: run `cargo run -- schema > schema.graphql`");
}
