//! What the words of a page stand on: no model, no network. In reading order: `index` (what there is in the repository at a
//! commit).

pub(crate) mod index;
