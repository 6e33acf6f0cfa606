//! What is found in each language, by a small file of each.
