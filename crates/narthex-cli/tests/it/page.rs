//! What is on the page of `narthex run`.

use narthex_test::get;

use crate::support::Directory;

#[test]
fn this_machine_is_on_the_page_under_the_names_of_node_exporter() {
    let narthex = Directory::new().run(&[]);
    let page = narthex.page();
    assert!(page.families.len() >= 40, "{} families", page.families.len());
    for (family, metric_type) in [
        ("node_boot_time_seconds", "gauge"),
        ("node_context_switches_total", "counter"),
        ("node_cpu_seconds_total", "counter"),
        ("node_filefd_allocated", "gauge"),
        ("node_filesystem_avail_bytes", "gauge"),
        ("node_forks_total", "counter"),
        ("node_intr_total", "counter"),
        ("node_load1", "gauge"),
        ("node_memory_MemAvailable_bytes", "gauge"),
        ("node_memory_MemTotal_bytes", "gauge"),
        ("node_memory_SwapTotal_bytes", "gauge"),
        ("node_network_receive_bytes_total", "counter"),
        ("node_network_transmit_bytes_total", "counter"),
        ("node_procs_running", "gauge"),
        ("node_time_seconds", "gauge"),
        ("node_uname_info", "gauge"),
        ("node_vmstat_pgfault", "untyped"),
        ("node_scrape_collector_success", "gauge"),
        ("process_cpu_seconds_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
        ("narthex_build_info", "gauge"),
        ("narthex_scrapes_total", "counter"),
    ] {
        assert_eq!(page.type_of(family), metric_type, "{family}");
        assert!(!page.families[family].1.is_empty(), "{family} has no help");
    }
    assert!(page.value("node_cpu_seconds_total", &[("cpu", "0"), ("mode", "idle")]) > Some(0.0));
    assert!(page.value("node_memory_MemTotal_bytes", &[]) > Some(0.0));
    assert_eq!(page.value("narthex_source_success", &[("source", "host")]), Some(1.0));
}

#[test]
fn build_info_tells_the_version() {
    let page = Directory::new().run(&[]).page();
    assert_eq!(page.values_of("narthex_build_info", "version"), [env!("CARGO_PKG_VERSION")]);
    let [rust] = page.values_of("narthex_build_info", "rustversion")[..] else {
        panic!("{}", page.text)
    };
    assert!(rust.starts_with("1."), "{rust}");
    for revision in page.values_of("narthex_build_info", "revision") {
        assert!(revision.len() >= 40, "{revision}");
    }
}

#[test]
fn a_collector_can_be_switched_off_everywhere() {
    let toml = ("narthex.toml", "collector_cpu = false");
    for (arguments, environment) in [
        (&["--no-collector.cpu"][..], &[][..]),
        (&["--collector.cpu=false"], &[]),
        (&[], &[("NARTHEX_COLLECTOR_CPU", "no")]),
        (&[], &[("NARTHEX_NO_COLLECTOR_CPU", "yes")]),
        (&["narthex.toml"], &[]),
        // The command line has the last word.
        (&["--no-collector.cpu"], &[("NARTHEX_COLLECTOR_CPU", "yes")]),
    ] {
        let directory = Directory::new().write(toml.0, toml.1);
        let mut command = directory.command(&["run", "--host=127.0.0.1", "--port=0"]);
        command.args(arguments).envs(environment.iter().copied());
        let page = crate::support::Narthex::start(&mut command, directory).page();
        assert!(!page.text.contains("node_cpu"), "{arguments:?} {environment:?}");
        assert!(!page.text.contains("collector=\"cpu\""), "{arguments:?} {environment:?}");
        assert!(page.text.contains("node_load1 "), "{arguments:?} {environment:?}");
    }
    let directory = Directory::new().write(toml.0, toml.1);
    let page = directory.run(&["narthex.toml", "--collector.cpu"]).page();
    assert!(page.text.contains("node_cpu_seconds_total"));
}

/// A machine with two disks, a partition, two network devices and three mounted file systems.
fn machine() -> Directory {
    let disk = "1 2 3 4 5 6 7 8 9 10 11";
    Directory::new()
        .write("proc/diskstats", &format!("8 0 sda {disk}\n8 1 sda1 {disk}\n9 0 vdb {disk}\n"))
        .write(
            "proc/net/dev",
            "Inter-| Receive | Transmit\n face |bytes packets|bytes packets\n\
             \x20 lo: 1 2 3 4\n eth0: 5 6 7 8\n",
        )
        .write(
            "proc/1/mounts",
            "/dev/sda1 / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\nproc /proc proc rw 0 0\n",
        )
        .write("run/file", "")
}

#[test]
fn devices_and_file_systems_can_be_left_out() {
    let labels = |arguments: &[&str]| {
        let paths = ["--path.procfs=proc", "--path.sysfs=sys", "--path.rootfs=."];
        let page = machine().run(&[&paths, arguments].concat()).page();
        [
            ("node_disk_reads_completed_total", "device"),
            ("node_network_receive_bytes_total", "device"),
            ("node_filesystem_size_bytes", "mountpoint"),
        ]
        .map(|(family, label)| page.values_of(family, label).join(" "))
    };
    assert_eq!(labels(&[]), ["sda vdb", "eth0 lo", "/ /run"]);
    assert_eq!(
        labels(&[
            "--collector.diskstats.device-exclude=^vd",
            "--collector.netdev.device-exclude=^lo$",
            "--collector.filesystem.mount-points-exclude=^/run$",
        ]),
        ["sda sda1", "eth0", "/"]
    );
    assert_eq!(
        labels(&["--collector.filesystem.fs-types-exclude=^(ext4|proc)$"]),
        ["sda vdb", "eth0 lo", "/run"]
    );
}

#[test]
fn what_a_collector_cannot_read_is_logged_once_and_costs_nothing_else() {
    let directory = Directory::new().write("proc/loadavg", "0.5 0.25 0.125 1/2 3\n");
    let arguments = ["--path.procfs=proc", "--path.sysfs=sys"];
    let mut narthex = directory.run(&arguments);
    let page = narthex.page();
    assert_eq!(page.value("node_load1", &[]), Some(0.5));
    let success = |page: &crate::support::Page, collector: &str| {
        page.value("node_scrape_collector_success", &[("collector", collector)])
    };
    assert_eq!((success(&page, "loadavg"), success(&page, "meminfo")), (Some(1.0), Some(0.0)));
    narthex.page();

    let proc = narthex.directory.path().join("proc");
    std::fs::write(proc.join("meminfo"), "MemTotal: 1 kB\n").unwrap();
    std::fs::write(proc.join("loadavg"), "warm").unwrap();
    let page = narthex.page();
    assert_eq!((success(&page, "loadavg"), success(&page, "meminfo")), (Some(0.0), Some(1.0)));

    narthex.process.signal("TERM");
    narthex.process.wait();
    let log = narthex.process.stderr();
    let about = |collector: &str| {
        let field = format!(" collector={collector}");
        log.lines().filter(|line| line.contains(&field)).collect::<Vec<_>>()
    };
    let [failed, recovered] = about("meminfo")[..] else { panic!("{log}") };
    assert!(failed.contains("WARN collector failed"), "{failed}");
    assert!(failed.contains("cannot read `proc/meminfo`: No such file"), "{failed}");
    assert!(recovered.contains("INFO collector has recovered"), "{recovered}");
    let [failed] = about("loadavg")[..] else { panic!("{log}") };
    assert!(failed.contains("expected three load averages, got `warm`"), "{failed}");
}

#[test]
fn the_page_comes_compressed_and_with_a_landing_page() {
    let narthex = Directory::new().run(&[]);
    let answer = get(&narthex.url, &[("Accept-Encoding", "gzip")]).unwrap();
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let landing = get(&narthex.url.replace("/metrics", "/"), &[]).unwrap();
    assert!(landing.text().contains("narthex"), "{}", landing.text());
}
