//! Files that are no text, too large, or made to hurt: each costs at most itself.
