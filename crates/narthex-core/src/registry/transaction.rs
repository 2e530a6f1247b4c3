//! Registering many things or none.

use std::mem;
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Entry, Registry, State};

impl Registry {
    /// Runs `register`, and exports what it registers all at once, or nothing when it fails.
    ///
    /// The registry that `register` is given is a copy to work on: it has what this one has, and
    /// takes this one's place when `register` succeeds. Until then no scrape sees any of it; on an
    /// error or a panic it is forgotten.
    ///
    /// What another thread registers in the meantime stays. Where something clashes with it,
    /// `register` is called again with a fresh copy, so it should have no other effects.
    ///
    /// ```
    /// use narthex_core::{Counter, Gauge, RegisterError, Registry};
    ///
    /// let registry = Registry::new();
    /// let register_both = || {
    ///     registry.transaction(|registry| {
    ///         let jobs = Counter::builder("jobs_total", "Jobs done.").register(registry)?;
    ///         let queue = Gauge::builder("queue length", "Jobs that wait.").register(registry)?;
    ///         Ok::<_, RegisterError>((jobs, queue))
    ///     })
    /// };
    /// assert_eq!(register_both().unwrap_err().family(), "queue length");
    /// assert!(registry.gather().family("jobs_total").is_none());
    /// ```
    ///
    /// # Errors
    /// Returns the error of `register`.
    pub fn transaction<T, E>(
        &self,
        mut register: impl FnMut(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        loop {
            let before = self.state.read().clone();
            let staged =
                Self { scope: self.scope.clone(), state: Arc::new(RwLock::new(before.clone())) };
            let registered = register(&staged)?;
            let after = mem::take(&mut *staged.state.write());
            if self.commit(&before, after) {
                return Ok(registered);
            }
        }
    }

    /// Does here what was done to the copy, or nothing where that clashes with what has come since.
    ///
    /// To ask for an unchanged registry instead would never end where `register` itself, or a
    /// scrape that comes again and again, registers something here each time.
    fn commit(&self, before: &State, after: State) -> bool {
        let mut state = self.state.write();
        let committed = if state.is(before) { Some(after) } else { state.merged(before, &after) };
        let Some(committed) = committed else { return false };
        let replaced = mem::replace(&mut *state, committed);
        drop(state);
        // Last: dropping a collector runs user code, which may call back into this registry.
        drop(replaced);
        true
    }
}

impl State {
    /// Whether nothing was registered or unregistered between the two.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.entries, &other.entries)
    }

    /// This state with what was done between the two others, unless something clashes.
    fn merged(&self, before: &Self, after: &Self) -> Option<Self> {
        let mut merged = self.clone();
        for gone in before.entries.iter().filter(|entry| !after.has(entry)) {
            merged.remove(gone.address());
        }
        for new in after.entries.iter().filter(|entry| !before.has(entry)) {
            merged.add(new).ok()?;
        }
        Some(merged)
    }

    fn has(&self, entry: &Arc<Entry>) -> bool {
        self.entries.iter().any(|other| Arc::ptr_eq(other, entry))
    }
}
