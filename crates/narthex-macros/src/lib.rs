//! Derive macros of narthex: Labels and LabelValue.
