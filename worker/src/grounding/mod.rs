//! What the words of a page stand on: no model, no network. In reading order: `index` (what there is in the repository at a
//! commit), `resolving` (where the citations of a page lead there).

pub(crate) mod index;
pub(crate) mod resolving;
