//! What the words of a page stand on: no model, no network. In reading order: `index` (what there is in the repository at a
//! commit), `resolving` (where the citations of a page lead there), `checks` (the rules that pages are held against), `scoring`
//! (how good the whole is), `anchoring` (where cited lines went in a newer commit), `staleness` (what that means for sections),
//! `comparing` (the same for two commits and a whole site).

pub(crate) mod index;
pub(crate) mod resolving;
pub(crate) mod checks;
pub(crate) mod scoring;
pub(crate) mod anchoring;
pub(crate) mod staleness;
pub(crate) mod comparing;
