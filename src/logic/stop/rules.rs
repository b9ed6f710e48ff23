//! Several rules, of one kind or of many, as one argument.

use super::StopRule;

/// What [`any`](super::any) and [`all`](super::all) take: an array or `Vec` of one kind of rule (boxed ones too), or a
/// tuple of two to eight different ones.
pub trait Rules {
    /// The rules, boxed, in their order.
    fn boxed(self) -> Vec<Box<dyn StopRule>>;
}

fn boxed(rule: impl StopRule + 'static) -> Box<dyn StopRule> {
    Box::new(rule)
}

impl<R: StopRule + 'static, const LEN: usize> Rules for [R; LEN] {
    fn boxed(self) -> Vec<Box<dyn StopRule>> {
        self.into_iter().map(boxed).collect()
    }
}

impl<R: StopRule + 'static> Rules for Vec<R> {
    fn boxed(self) -> Vec<Box<dyn StopRule>> {
        self.into_iter().map(boxed).collect()
    }
}

macro_rules! rules_of_tuple {
    ($(($($rule:ident),+);)+) => {
        $(
            #[allow(non_snake_case, reason = "the type's letter names its value too")]
            impl<$($rule: StopRule + 'static),+> Rules for ($($rule,)+) {
                fn boxed(self) -> Vec<Box<dyn StopRule>> {
                    let ($($rule,)+) = self;
                    vec![$(boxed($rule)),+]
                }
            }
        )+
    };
}
rules_of_tuple! {
    (A, B);
    (A, B, C);
    (A, B, C, D);
    (A, B, C, D, E);
    (A, B, C, D, E, F);
    (A, B, C, D, E, F, G);
    (A, B, C, D, E, F, G, H);
}
