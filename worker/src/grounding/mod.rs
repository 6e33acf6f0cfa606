//! What the words of a page stand on: no model, no network. In reading order: `index` (what there is in the repository at a
//! commit).

#[expect(dead_code, reason = "issue 5 is being built: checks come to ask it")]
pub(crate) mod index;
