//! Expected failures as data: each a type of its own, behind one interface for the payloads of a noun.

/// Defines an interface of errors: in braces those that another one defines, then its own.
macro_rules! expected {
    (
        $interface:ident $({ $($(#[$also_doc:meta])* $also:ident,)* })?;
        $($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*
    ) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, SimpleObject)]
            pub struct $name {
                /// The stable code: this type's name in UPPER_SNAKE.
                pub(in crate::graphql) code: &'static str,
                /// What is wrong and the way out, in a sentence.
                pub(in crate::graphql) message: String,
                /// Where in the input, outermost first; empty when no one place is wrong.
                pub(in crate::graphql) path: Vec<String>,
                $($(#[$field_doc])* $field: $type,)*
            }
        )*

        /// An expected failure. The code is the type's name in UPPER_SNAKE and never changes.
        #[derive(Clone, Debug, Interface)]
        #[graphql(
            field(name = "code", ty = "&&'static str", desc = "The stable code: the type's name in UPPER_SNAKE."),
            field(name = "message", ty = "&String", desc = "What is wrong and the way out, in a sentence."),
            field(name = "path", ty = "&Vec<String>", desc = "Where in the input, outermost first; empty when no one place is wrong.")
        )]
        pub enum $interface {
            $($(#[$doc])* $name($name),)*
            $($($(#[$also_doc])* $also($also),)*)?
        }
    };
}
pub(super) use expected;
