//! Registering many or none, while others register too.

use narthex_core::{Counter, Gauge, RegisterError, Registry};

use crate::support::names;

fn counter(name: &str, registry: &Registry) -> Result<Counter, RegisterError> {
    Counter::builder(name, "C.").register(registry)
}

#[test]
fn b21_what_others_register_meanwhile_stays() {
    let registry = Registry::new();
    let old = counter("old_total", &registry).unwrap();
    let mut calls = 0;
    let outcome = registry.transaction(|staged| {
        calls += 1;
        staged.unregister(&old);
        counter("new_total", staged)?;
        // As another thread would: it is none of the transaction's.
        counter(&format!("meanwhile_{calls}_total"), &registry)
    });
    assert!(outcome.is_ok());
    assert_eq!(names(&registry.gather()), ["meanwhile_1_total", "new_total"]);
    // The names of what went are free again, and those of what came are not.
    assert!(counter("old_total", &registry).is_ok());
    for taken in ["new_total", "new", "meanwhile_1_total"] {
        assert!(counter(taken, &registry).unwrap_err().is_clash(), "{taken}");
    }
}

#[test]
fn b21_a_clash_with_what_others_register_meanwhile_is_found_by_another_try() {
    let registry = Registry::new();
    let mut calls = 0;
    let outcome = registry.transaction(|staged| {
        calls += 1;
        counter("first_total", staged)?;
        counter("name_total", staged)?;
        if calls == 1 {
            counter("name_total", &registry)?;
        }
        Ok::<_, RegisterError>(())
    });
    assert_eq!((calls, outcome.unwrap_err().family()), (2, "name_total"));
    assert_eq!(names(&registry.gather()), ["name_total"]);

    // Who takes what is there finds it.
    let mut calls = 0;
    let found = registry.transaction(|staged| {
        calls += 1;
        let level = || Gauge::builder("level", "L.");
        if calls == 1 {
            level().register(&registry)?.set(5.0);
        }
        level().get_or_register(staged)
    });
    assert_eq!((calls, found.unwrap().value()), (2, 5.0));
}

#[test]
fn b21_transactions_of_many_threads_all_end_and_all_count() {
    let registry = Registry::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let registry = &registry;
            scope.spawn(move || {
                for round in 0..50 {
                    let both = registry.transaction(|staged| {
                        counter(&format!("a_{thread}_{round}_total"), staged)?;
                        counter(&format!("b_{thread}_{round}_total"), staged)
                    });
                    both.unwrap().inc();
                }
            });
        }
    });
    assert_eq!(registry.gather().families().len(), 400);
}
