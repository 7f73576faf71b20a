//! `lua` and `bench-client-num-conn` against our own service: scripts as those of the official tool
//! are written.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // every function here is a test's

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, command, run, run_with_stdin};
use metadump_tests::served::Served;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn served() -> Served {
    Served::start([fixture("v004/v004-origin.export.ndjson")])
}

/// Runs a script in which `GRPC` and `ADMIN` stand for the addresses of a service.
fn script(service: &Served, text: &str) -> Ran {
    let text = text
        .replace("GRPC", &format!("\"{}\"", service.grpc))
        .replace("ADMIN", &format!("\"{}\"", service.admin));
    run_with_stdin(["lua"], text.as_bytes())
}

#[track_caller]
fn printed(ran: Ran) -> String {
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    String::from_utf8(ran.stdout).unwrap()
}

/// A port at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn what_waits_in_a_coroutine_is_waited_for() {
    let service = served();
    let ran = script(
        &service,
        r#"
        local client = metactl.new_grpc_client(GRPC)
        local steps = coroutine.wrap(function(first)
            metactl.sleep(0.001)
            local answer = coroutine.yield(first .. "!")
            client:upsert("from/coroutine", answer)
            local inner = coroutine.create(function() return client:get("from/coroutine") end)
            local alive, found, err = coroutine.resume(inner)
            coroutine.yield(alive, metactl.to_string(found.data), err)
            metactl.sleep(0.001)
            error("at the end")
        end)
        print(steps("yielded"))
        print(steps("written"))
        local ok, why = pcall(steps)
        print(ok, why:match("at the end"))
        print(select(2, pcall(steps)):match("cannot resume dead coroutine"))
        print(coroutine.resume(coroutine.create(function(...) metactl.sleep(0) return ... end), 1, nil, 3))
        local task = metactl.spawn(function()
            return coroutine.wrap(function() metactl.sleep(0.001) return "in a task" end)()
        end)
        print(task:join())
        local thrown = coroutine.wrap(function() metactl.sleep(0.001) error({ code = 7 }) end)
        print(select(2, pcall(thrown)).code)
        "#,
    );
    let expected = "yielded!\ntrue\t\"written\"\tnil\nfalse\tat the end\ncannot resume dead coroutine\n\
                    true\t1\tnil\t3\nin a task\n7\n";
    assert_eq!(printed(ran), expected);
}

#[test]
fn scripts_run_in_the_order_of_the_command_line_and_share_globals() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let define = file(
        "define.lua",
        "#!/usr/bin/env databend-metactl\nfunction say(x) print(x, n) end n = 1",
    );
    let end = file("end.lua", "say('end')");
    let ran = run([
        "lua",
        "--script",
        "print('first')",
        "--file",
        &define,
        "--script",
        "say('then'); n = n + 1",
        "--file",
        &end,
    ]);
    assert_eq!(printed(ran), "first\nthen\t1\nend\t2\n");
    assert_eq!(printed(run_with_stdin(["lua"], b"io.write(2 + 3) print(';')")), "5;\n");
    assert_eq!(printed(run_with_stdin(["lua"], b"")), "");
}

#[test]
fn an_error_is_said_with_its_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.lua");
    fs::write(&path, "#!lua\nlocal x = nil\nprint(x.y)\n").unwrap();
    let failed = |ran: &Ran| {
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let lines: Vec<String> = ran.stderr.lines().map(str::to_owned).collect();
        assert!(lines.len() == 3 && lines[2].starts_with("help:  "), "{}", ran.stderr);
        (lines[0].clone(), lines[1].clone())
    };
    let ran = command(["lua", "--file", "job.lua"]).current_dir(folder.path()).output().unwrap();
    let (what, cause) = failed(&ran.into());
    assert_eq!(what, "error: the script failed");
    assert!(cause.starts_with("cause: job.lua:3: attempt to index a nil value"), "{cause}");
    let (what, cause) = failed(&run_with_stdin(["lua"], b"print(1)\nif x the"));
    assert_eq!(what, "error: the script is not valid Lua");
    assert!(cause.starts_with("cause: stdin:2: "), "{cause}");
    // What a function of ours refuses has the line as well.
    let (_, cause) = failed(&run(["lua", "--script", "x = 1\nmetactl.sleep(-1)"]));
    let refused = "sleep: duration must be finite, non-negative, and representable";
    assert_eq!(cause, format!("cause: script 1:2: {refused}"));
    let (what, _) = failed(&run(["lua", "--script", "x = string.rep('x', (1 << 31) - 9)"]));
    assert_eq!(what, "error: the script takes too much memory");
    let (what, _) = failed(&run(["lua", "--file", "no.lua"]));
    assert_eq!(what, "error: cannot read no.lua");
    // One that is caught is none.
    let caught = "print(pcall(error, 'x', 0), pcall(metactl.sleep, 0 / 0))";
    assert!(printed(run(["lua", "--script", caught])).starts_with("false\tfalse"));
}

#[test]
fn values_become_text() {
    let text = r#"
        local function say(value) print(metactl.to_string(value)) end
        say(nil) say(metactl.NULL) say(true) say(42) say(1.5) say(2.0)
        say("He said \"x\"\\\t\n\r\b\f\0\127\255é")
        say({}) say({b = "x", a = 1, [2] = true, [1.5] = false})
        say({104, 105}) say({104, 256}) say({[2] = 104}) say({104.0, 105}) say({"a"})
        say({a = 1, b = metactl.NULL, c = {d = {}}}) say({[true] = "yes"}) say(print)
        local own = {} own.own = own
        print(tostring(select(2, pcall(metactl.to_string, own))):match("to_string: [^\n]+"))
        local twice = {string.rep("x", 1 << 20)}
        for _ = 1, 100 do twice = {twice, twice} end
        print(tostring(select(2, pcall(metactl.to_string, twice))):match("to_string: [^\n]+"))
    "#;
    let expected = r#"nil
NULL
true
42
1.5
2.0
"He said \"x\"\\\t\n\r\b\f\x00\x7F\xFF\xC3\xA9"
{}
{[1.5]=false,[2]=true,"a"=1,"b"="x"}
"hi"
{[1]=104,[2]=256}
{[2]=104}
"hi"
{[1]="a"}
{"a"=1,"c"={"d"={}}}
{[true]="yes"}
<function>
to_string: tables are nested deeper than 200 levels
to_string: the text is longer than 256 MiB
"#;
    assert_eq!(printed(run_with_stdin(["lua"], text.as_bytes())), expected);
}

#[test]
fn keys_are_read_and_written() {
    let service = served();
    let text = r#"
        local client = metactl.new_grpc_client(GRPC)
        print(client:get("lua/none") == metactl.NULL)
        local bytes = string.char(0, 1, 127, 128, 255)
        local first, err = client:upsert("lua/k", bytes)
        print(err, first.prev == metactl.NULL, metactl.to_string(first.result.data))
        local second = client:upsert("lua/k", "two")
        print(second.prev.seq == first.result.seq, second.result.seq == first.result.seq + 1)
        local value = client:get("lua/k")
        print(string.char(table.unpack(value.data)), value.seq == second.result.seq)
        print(type(value.meta), math.type(value.seq))
        -- What was read can be written again.
        local read = first.result.data
        print(metactl.to_string(client:upsert("lua/copy", read).result.data))
        local is_same = metactl.eq_value("lua/copy", read)
        local copied = client:transaction(metactl.new_txn({is_same}, {metactl.put_op("lua/more", read)}))
        print(copied.success, metactl.to_string(client:get("lua/more").data))
    "#;
    let expected = r#"true
nil	true	"\x00\x01\x7F\x80\xFF"
true	true
two	true
table	integer
"\x00\x01\x7F\x80\xFF"
true	"\x00\x01\x7F\x80\xFF"
"#;
    assert_eq!(printed(script(&service, text)), expected);
    let key = ["get", "--key", "lua/k", "--raw", "--grpc-api-address", &service.address()];
    assert_eq!(run(key).stdout, b"two");
    // Without an address it is that of the command line.
    let args = ["--grpc-api-address", &service.address()];
    let text = "print(metactl.to_string(metactl.new_grpc_client():get('lua/k').data))";
    assert_eq!(printed(run(["lua", "--script", text].iter().chain(&args))), "\"two\"\n");
}

#[test]
fn transactions_happen_together_or_not_at_all() {
    let service = served();
    let text = r#"
        local client = metactl.new_grpc_client(GRPC)
        client:upsert("lua/old", "old")
        local function names(value)
            local names = {}
            for name in pairs(value) do table.insert(names, name) end
            table.sort(names)
            return table.concat(names, ",")
        end
        local reply, err = client:transaction({
            conditions = {{key = "lua/new", op = "eq_seq", value = 0}},
            ["then"] = {
                {op = "put", key = "lua/new", value = "alpha", ttl = 60},
                {op = "get", key = "lua/new"},
                {op = "delete", key = "lua/old"},
            },
            ["else"] = {{op = "put", key = "lua/unexpected", value = "bad"}},
        })
        print(err, names(reply), reply.success, reply.execution_path, #reply.responses)
        local put = reply.responses[1].response.Put
        print(names(put), put.key, put.prev_value == metactl.NULL, math.type(put.current.meta.expire_at))
        local got = reply.responses[2].response.Get
        print(names(got), metactl.to_string(got.value.data), got.value.seq == put.current.seq)
        local deleted = reply.responses[3].response.Delete
        print(names(deleted), deleted.success, metactl.to_string(deleted.prev_value.data))
        local seq = put.current.seq
        reply = client:transaction(metactl.new_txn(
            {
                metactl.eq_seq("lua/new", seq),
                metactl.ge_seq("lua/new", seq),
                metactl.eq_value("lua/new", "wrong"),
            },
            {metactl.put_op("lua/unexpected", "bad", 1)},
            {metactl.get_op("lua/new"), metactl.delete_op("lua/none")}))
        print(reply.success, reply.execution_path, #reply.responses)
        reply = client:transaction({})
        print(reply.success, reply.execution_path, #reply.responses)
        print(client:get("lua/unexpected") == metactl.NULL, client:get("lua/old") == metactl.NULL)
    "#;
    let expected = "nil\texecution_path,responses,success\ttrue\tthen\t3\n\
                    current,key,prev_value\tlua/new\ttrue\tinteger\n\
                    key,value\t\"alpha\"\ttrue\n\
                    key,prev_value,success\ttrue\t\"old\"\n\
                    false\telse\t2\ntrue\tthen\t0\ntrue\ttrue\n";
    assert_eq!(printed(script(&service, text)), expected);
}

#[test]
fn a_transaction_that_is_none_is_not_sent() {
    let text = r#"
        local client = metactl.new_grpc_client("127.0.0.1:1")
        local function wrong(txn) print(select(2, client:transaction(txn))) end
        wrong({unknown = {}})
        wrong({conditions = "invalid"})
        wrong({conditions = {{key = "k", op = "unknown", value = 0}}})
        wrong({conditions = {{key = "k", op = "eq_seq", value = -1}}})
        wrong({conditions = {{key = "k", op = "eq_seq", value = 1.0}}})
        wrong({conditions = {{op = "eq_seq", value = 0}}})
        wrong({["then"] = {"get"}})
        wrong({["then"] = {{op = "unknown", key = "k"}}})
        wrong({["then"] = {{op = "put", key = "k"}}})
        wrong({["then"] = {{op = "put", key = "k", value = 1}}})
        wrong({["then"] = {{op = "put", key = "k", value = {1, 256}}}})
        wrong({["then"] = {{op = "put", key = "k", value = {1, name = 2}}}})
        wrong({["then"] = {[1] = metactl.get_op("k"), [3] = metactl.get_op("k")}})
        wrong({["else"] = {{op = "get", key = "k", ttl = 1}}})
        wrong({["then"] = {metactl.put_op("k", "v", "soon")}})
        wrong({["then"] = {metactl.put_op("k", "v", 0 / 0)}})
        wrong({["then"] = {metactl.put_op("k", "v", 1e17)}})
        wrong({["then"] = {metactl.get_op("\255")}})
    "#;
    let expected = r#"transaction: unknown field `unknown`
transaction.conditions: must be an array, got string
transaction.conditions[1]: unknown condition `unknown`
transaction.conditions[1]: field `value` must be a non-negative integer, got integer
transaction.conditions[1]: field `value` must be a non-negative integer, got number
transaction.conditions[1]: missing field `key`
transaction["then"]: item 1 must be a table
transaction["then"][1]: unknown operation `unknown`
transaction["then"][1]: missing field `value`
transaction["then"][1]: field `value` must be a string, got integer
transaction["then"][1]: field `value` is an array of other than bytes
transaction["then"][1]: field `value` is an array of other than bytes
transaction["then"]: must be a dense array
transaction["else"][1]: unknown field `ttl`
transaction["then"][1]: field `ttl` must be a number, got string
transaction["then"][1].ttl: duration must be finite, non-negative, and representable
transaction["then"][1].ttl: duration exceeds the meta service limit
transaction["then"][1]: field `key` must be UTF-8
"#;
    let printed = printed(run_with_stdin(["lua"], text.as_bytes()));
    let expected: Vec<String> =
        expected.lines().map(|line| format!("Invalid transaction: {line}")).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

/// Each of two tasks waits for the other, which only tasks that run beside each other outlive.
#[test]
fn tasks_run_beside_each_other() {
    let service = served();
    let text = r#"
        local ready = 0
        local function contend(value)
            local client = metactl.new_grpc_client(GRPC)
            ready = ready + 1
            while ready < 2 do metactl.sleep(0.001) end
            local reply = client:transaction(metactl.new_txn(
                {metactl.eq_seq("lua/race", 0)}, {metactl.put_op("lua/race", value)},
                {metactl.get_op("lua/race")}))
            return reply.success
        end
        local left = metactl.spawn(function() return contend("left") end)
        local right = metactl.spawn(function() return contend("right") end)
        print(left:join() ~= right:join())
        print(left:join())
        local before = metactl.now_ms()
        metactl.sleep(0.01)
        print(metactl.now_ms() - before >= 10)
    "#;
    let ran = script(&service, text);
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(0), b"true\nnil\ntrue\n".as_slice()));
    assert!(ran.stderr.starts_with("warning: a task is joined twice"), "{}", ran.stderr);
}

#[test]
fn a_task_that_fails_is_said() {
    let text = "local task = metactl.spawn(function()\n error('boom') end)\nprint(task:join())";
    let ran = run(["lua", "--script", text]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(3), b"nil\n".as_slice()));
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[0], "error: a task failed");
    assert!(lines[1].contains("script 1:2: boom"), "{}", ran.stderr);
    assert_eq!(lines[3], "error: 1 task of the script failed");
}

#[test]
fn the_admin_api_is_asked() {
    let service = served();
    let text = r#"
        local admin = metactl.new_admin_client(ADMIN)
        print(admin:status().id, select(2, admin:status()))
        print(admin:trigger_snapshot())
        print(select(2, admin:transfer_leader(2)))
        print(select(2, admin:set_feature("a b&c", true)))
        print(admin:set_feature("dummy", true).enabled[1])
        print(admin:metrics():find("metasrv_server_is_leader", 1, true) ~= nil)
        for _, method in ipairs({"metrics", "status", "list_features", "trigger_snapshot"}) do
            local nobody = metactl.new_admin_client("127.0.0.1:99999")
            local result, err = nobody[method](nobody)
            print(method, result, err)
        end
    "#;
    let said = printed(script(&service, text));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "1\tnil");
    assert_eq!(lines[1], "true\tnil");
    let no_other = "answers 400: there is no node 2 to take over, only node 1";
    assert_eq!(lines[2], format!("Admin API error: {} {no_other}", service.admin));
    let unknown = "answers 400: there is no feature \"a b&c\", only dummy, dummy_feature2";
    assert_eq!(lines[3], format!("Admin API error: {} {unknown}", service.admin));
    assert_eq!(lines[4], "dummy");
    assert_eq!(lines[5], "true");
    let no_port = "\tnil\tAdmin API error: 127.0.0.1:99999: expected a port from 1 to 65535";
    for line in &lines[6..] {
        assert!(line.ends_with(no_port), "{line}");
    }
    assert_eq!(lines.len(), 10);
}

#[test]
fn a_service_that_is_not_there_is_an_answer() {
    let text = format!(
        "local client = metactl.new_grpc_client('{}')\nprint(client:get('k'))\n\
         print(metactl.new_grpc_client('no address'):get('k'))",
        nobody()
    );
    let said = printed(run(["lua", "--script", &text]));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("nil\tgRPC error: cannot connect to 127.0.0.1:"), "{said}");
    assert!(lines[1].starts_with("nil\tgRPC error: "), "{said}");
}

#[test]
fn keys_come_up_as_a_power_law_has_them() {
    let text = "local zipf = metactl.ZipfGenerator:new(1000000, 1.2)
        print(zipf.num_keys, zipf.alpha, zipf:generate_key_index(0), zipf:generate_key_index(0.5))
        local flat = metactl.ZipfGenerator:new()
        print(flat.num_keys, flat.alpha, flat:generate_key_index(0.5))";
    assert_eq!(printed(run(["lua", "--script", text])), "1000000\t1.2\t1\t24\n1000\t1.0\t32\n");
}

/// A script that runs on its own, and what it prints.
fn start(args: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = command(["lua"].iter().chain(args));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

fn line(stdout: &mut impl BufRead) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    line
}

#[test]
fn a_signal_ends_a_script_that_never_does() {
    let busy = "print('ready') while true do end";
    let waiting = "metactl.spawn(function() print('ready') end) metactl.sleep(1e9)";
    for (text, signal) in
        [(busy, Signal::TERM), (busy, Signal::INT), (waiting, Signal::TERM), (waiting, Signal::INT)]
    {
        let (mut child, mut stdout) = start(&["--script", text]);
        assert_eq!(line(&mut stdout), "ready\n");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()), "{text}");
    }
}

#[test]
fn what_cannot_be_printed_is_a_failure_unless_nobody_reads() {
    for text in ["pcall(print, 'x') print('y')", "io.write('x')", "io.stdout:write('x')"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran: Ran = command(["lua", "--script", text]).stdout(full).output().unwrap().into();
        assert_eq!(ran.code, Some(3), "{text}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: cannot write to stdout\n"), "{}", ran.stderr);
    }
    assert_eq!(printed(run(["lua", "--script", "io.write('x') io.stdout:close()"])), "x");
    for write in ["io.write({})", "io.stdout:write({})"] {
        let ran = run(["lua", "--script", &format!("\n{write}")]);
        let cause = ":2: bad argument #1 to 'write' (string expected, got table)\n";
        assert!(ran.stderr.contains(cause), "{write}: {}", ran.stderr);
    }
    for write in ["print('x')", "io.write('x')", "io.stdout:write('x')"] {
        let endless = format!("io.read() while true do {write} end");
        let (mut child, stdout) = start(&["--script", &endless]);
        drop(stdout);
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{write}");
    }
}

/// Stands between a client and a service until it is told to keep the answers for itself: then the
/// next one breaks the connection.
struct Cutter {
    address: SocketAddr,
    cuts: Arc<AtomicBool>,
}

impl Cutter {
    fn before(service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&cuts);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(service).unwrap();
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut from, &mut to));
                let cuts = Arc::clone(&shared);
                thread::spawn(move || answers(server, client, &cuts));
            }
        });
        Self { address, cuts }
    }
}

/// Hands answers on, until one is to be cut: that is the first which has a message, as those of a
/// call do; frames of the connection alone are short.
fn answers(mut server: TcpStream, mut client: TcpStream, cuts: &AtomicBool) {
    let mut bytes = [0; 1 << 16];
    while let Ok(read @ 1..) = server.read(&mut bytes) {
        if cuts.load(Ordering::SeqCst) && read > 40 {
            let _ = client.shutdown(std::net::Shutdown::Both);
            return;
        }
        if client.write_all(&bytes[..read]).is_err() {
            return;
        }
    }
}

#[test]
fn a_write_whose_answer_is_lost_is_not_sent_again() {
    let service = served();
    let cutter = Cutter::before(service.grpc);
    let text = format!(
        "local client = metactl.new_grpc_client('{}')
         local before = client:upsert('lua/once', 'x')
         print(before.result.seq)
         io.read()
         print(client:upsert('lua/once', 'y'))",
        cutter.address
    );
    let (mut child, mut stdout) = start(&["--script", &text]);
    let seq: u64 = line(&mut stdout).trim_end().parse().unwrap();
    cutter.cuts.store(true, Ordering::SeqCst);
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let said = line(&mut stdout);
    assert!(said.starts_with("nil\tgRPC error: Transaction: "), "{said}");
    assert!(said.ends_with("; whether it was written is not known\n"), "{said}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let key = ["get", "--key", "lua/once", "--grpc-api-address", &service.address()];
    let value: serde_json::Value = serde_json::from_slice(&run(key).stdout).unwrap();
    assert_eq!((&value["seq"], &value["data"]), (&(seq + 1).into(), &vec![b'y'].into()));
}

#[test]
fn connections_are_counted() {
    let service = served();
    let address = service.address();
    let bench = |address: &str, num: &str| {
        run(["bench-client-num-conn", "--grpc-api-address", address, "--num", num])
    };
    let expected = format!(
        "loop: connect to metasrv {address}, get_kv('foo'), do not drop the connection, num=3\n\
         1-th: get_kv(foo): Ok(None)\n2-th: get_kv(foo): Ok(None)\n3-th: get_kv(foo): Ok(None)\n\
         bench completed: 3 connections created\n"
    );
    assert_eq!(printed(bench(&address, "3")), expected);
    let nobody = nobody().to_string();
    let ran = bench(&nobody, "3");
    assert_eq!(ran.code, Some(3));
    let said = String::from_utf8(ran.stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[1].starts_with("1-th: get_kv(foo): Err(cannot connect to "), "{said}");
    assert_eq!((lines.len(), lines[4]), (5, "bench completed: 0 connections created"));
    assert!(ran.stderr.starts_with("error: 3 of 3 connections failed\ncause: "), "{}", ran.stderr);
    // A server that takes no more is not asked for ever.
    let ran = bench(&nobody, "1000000");
    assert_eq!(String::from_utf8(ran.stdout).unwrap().lines().count(), 12);
}

#[test]
fn a_bench_that_is_interrupted_says_how_far_it_came() {
    // Whoever connects waits for an answer.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let args =
        ["bench-client-num-conn", "--connect-timeout", "600", "--grpc-api-address", &address];
    let mut bench = command(args);
    let mut child = bench.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert!(line(&mut stdout).starts_with("loop: connect to metasrv "));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::INT.as_raw()));
    assert_eq!(said, "error: interrupted by SIGINT; 0 connections were open\n");
}
