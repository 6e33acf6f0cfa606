//! What the words of a page stand on: no model, no network. In reading order: `index` (what there is in the repository at a
//! commit), `anchoring` (where cited lines went in a newer one), `staleness` (what that means for sections), `comparing` (the
//! same for two commits and a whole site).

pub(crate) mod index;
pub(crate) mod anchoring;
pub(crate) mod staleness;
pub(crate) mod comparing;
