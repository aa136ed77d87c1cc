use expect_test::expect;

use crate::session::Session;

#[test]
fn the_demo_plays_to_its_end() {
    let session = Session::with_runtimes("demo");
    session.check(&["demo", "--dir", "demo"], expect![[r#"
        $ oacp demo --dir demo

        An agent from a stranger
          def run(input):
              weather = tools.call("weather", city=input["city"])
              log.info(f"{weather['celsius']} degrees and {weather['sky']} in {input['city']}")
              try:
                  tools.call("transfer_funds", to="the agent", amount=1_000_000)
                  rich = True
              except CapabilityDenied as denied:
                  log.warning(f"no money for me: {denied}")
                  rich = False
              return {"pack": "an umbrella" if weather["sky"] == "rain" else "sunglasses", "rich": rich}

          agent.py, sha256:4049354a0ca734e9bdb788e7ea2463bbafbca7e2699ce201c2ab15abefbe376e

        It runs in a sandbox: no files, no network, one tool granted of two
          its input  {"city": "Bergen"}
          its result {"pack":"an umbrella","rich":false}
          bundle     ~/demo/run.json, [size]

        It is logged: whoever keeps the proof can tell if the log is ever changed
          logged as entry 1 of oacp.local/[key] (2 entries)

        Whoever has the bundle checks it, and runs it again
          PASS         signature valid  signed by a key that node `this machine` delegated to, which the trust file names
          PASS         execution proof  run again from the recording: output, outcome, every event and the fuel were the same
          PASS         logged           at index 1 of `oacp.local/[key]`, by a checkpoint of 2 entries that the log signed and no witness cosigned
          NOT CHECKED  time validity    no witness's time is in the bundle; the timestamp is the node's own

        Somebody changes one byte of what the tool answered
          refused: blob is not what its digest `sha256:b2c65e96f79c054d4980a59b79b3b8d0ed5fed51e137bc56cca88d812a818eab` says (blob_altered)

        The node itself lies, and signs another result
          signature valid: it is the node's own
          diverged at the output
            recorded: {"pack": "sunglasses", "rich": true}
            replayed: {"pack":"an umbrella","rich":false}

        next:
          oacp show ~/demo/run.json  what happened, in order
          oacp verify ~/demo/run.json --trust ~/demo/trust.yaml  the whole report, with what nobody checked
          oacp init my-agent  an agent of your own
        !    info | 9 degrees and rain in Bergen
        ! warning | no money for me: tool `transfer_funds` is not granted
    "#]]);
    assert_eq!(
        session
            .oacp(&["verify", "demo/tampered.json"])
            .status
            .code(),
        Some(1)
    );
    let forged = session.oacp(&["verify", "demo/forged.json"]);
    assert_eq!(forged.status.code(), Some(1));
    assert!(
        String::from_utf8(forged.stdout)
            .unwrap()
            .contains("FAIL         execution proof")
    );
    session.check(
        &["replay", "demo/forged.json"],
        expect![[r#"
        $ oacp replay demo/forged.json
        diverged at the output
          recorded: {"pack": "sunglasses", "rich": true}
          replayed: {"pack":"an umbrella","rich":false}
        exit 1
    "#]],
    );
    session.check(&["show", "demo/run.json"], expect![[r#"
        $ oacp show demo/run.json
        [id]  ok  [time]
          agent      agent.py  sha256:4049354a0ca734e9bdb788e7ea2463bbafbca7e2699ce201c2ab15abefbe376e
          input      sha256:5e15008fe9c3311645da261f258cced2be768ec4b10346a6f5e1358aeeec1be4
          output     sha256:be2a30bfc0138aced546987de1cedb8afb3a71aa001e31a49f006f8ded8fadbc
          principal  local uid [uid]
          sandbox    [id]  number 0
          isolation  STANDARD  level EXECUTION
          runtime    [runtime]  wasmtime 48.0.8
          rights     tool weather
          used       [took] · [fuel] · [size] of memory · 2 tool calls
          again      re-executable
          log        oacp.local/[key]  entry 1, its delegation at 0
                     checkpoint of 2 entries

        input
          {"city": "Bergen"}

        output
          {"pack":"an umbrella","rich":false}

        source
          agent.py  [size]

        events
             0  start       clock [time]  seed [seed]…  in /
             1  call 0      weather {"city":"Bergen"}
             2  done 0      ok {"celsius":9,"sky":"rain"}  +[took]
             3  log info    9 degrees and rain in Bergen
             4  call 1      transfer_funds {"to":"the agent","amount":1000000}
             5  denial 1    tool `transfer_funds` is not granted
             6  done 1      denied {"asked":"transfer_funds","capability":"tool","code":"tool_not_granted","fix":["add `transfer_funds`… [size]  +[took]
             7  log warning no money for me: tool `transfer_funds` is not granted

        private content: contents, events, input, output, source  oacp show --redact OUT leaves it out
    "#]]);
}
