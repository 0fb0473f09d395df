//! Objects whose fields are at hand: written at once, instead of with a future and a place for it per
//! field. A page holds hundreds of such objects. The ordinary resolvers stay what counts: they are asked
//! whenever a selection holds more than plain fields, and `at_hand` in the tests compares the two.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult, Value,
    indexmap::IndexMap,
    parser::types::{Selection, SelectionSet},
    registry::Registry,
};

/// A field as it is asked for; not [`domain::permission::Field`].
pub use async_graphql::parser::types::Field as Asked;

/// An object that has some of its fields at hand.
pub trait Plain: ObjectType {
    /// The field's value; none if its resolver must be asked.
    fn plain(&self, field: &Asked) -> Option<Value>;
}

/// An object that is written at once when it can be; the type of the schema is that of `T`.
#[derive(Clone, Debug)]
pub struct AtHand<T>(pub T);

impl<T: Plain> OutputType for AtHand<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Asked>) -> ServerResult<Value> {
        match object(&self.0, &ctx.item.node) {
            Some(value) => Ok(value),
            None => Box::pin(self.0.resolve(ctx, field)).await,
        }
    }
}

/// The object's selected fields, if all of them are at hand.
pub fn object(of: &impl Plain, selected: &SelectionSet) -> Option<Value> {
    let mut fields = IndexMap::with_capacity(selected.items.len());
    for selection in &selected.items {
        let Selection::Field(Positioned { node: field, .. }) = &selection.node else { return None };
        if !field.directives.is_empty() {
            return None;
        }
        let value = of.plain(field)?;
        // One key twice is merged by the library.
        if fields.insert(field.response_key().node.clone(), value).is_some() {
            return None;
        }
    }
    Some(Value::Object(fields))
}

/// An object in a field of another one.
pub fn within(of: &impl Plain, field: &Asked) -> Option<Value> {
    object(of, &field.selection_set.node)
}
