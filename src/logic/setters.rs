//! Methods that set a field of a builder.

/// For each line a method that takes the builder, sets one field, and gives it back:
/// `name(argument: Type) => field = value;`, under the documentation that stands before it.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),+) => $($field:ident).+ = $value:expr;)+) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $($argument: $type),+) -> Self {
                self.$($field).+ = $value;
                self
            }
        )+
    };
}
