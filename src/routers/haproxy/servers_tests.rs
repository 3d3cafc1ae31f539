use super::*;
use proptest::prelude::*;

const HEAD: &str = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state \
                    srv_uweight srv_iweight srv_time_since_last_change srv_check_status \
                    srv_check_result srv_check_health srv_check_state srv_agent_state \
                    bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl \
                    srv_check_port srv_check_addr srv_agent_addr srv_agent_port";

/// What HAProxy 2.6 answers for these servers.
fn answer(servers: &[Server]) -> String {
    let lines = servers.iter().enumerate().map(|(id, server)| {
        let (backend, name) = server.name.split_once('/').unwrap();
        let Server { port, state, admin, weight, initial, .. } = server;
        format!(
            "2 {backend} {id} {name} 127.0.0.1 {state} {admin} {weight} {initial} \
             1 1 0 2 0 0 0 0 - {port} - 0 0 - - 0\n"
        )
    });
    format!("1\n{HEAD}\n{}\n", lines.collect::<String>())
}

fn server(admin: u32, weight: u32, initial: u32) -> Server {
    Server { name: "shop/blue".into(), port: 8081, state: 2, admin, weight, initial }
}

#[test]
fn d12_servers_are_read_by_the_names_of_their_columns() {
    let one = vec![server(0, 50, 100)];
    assert_eq!(parse(&answer(&one)), Ok(one.clone()));
    // Another version may have other columns in between.
    let other = "1\n# srv_port be_name new srv_name srv_uweight srv_iweight srv_admin_state \
                 srv_op_state\n8081 shop x blue 50 100 0 2\n";
    assert_eq!(parse(other), Ok(one));
    assert_eq!(parse(&answer(&[])), Ok(vec![]));
}

#[test]
fn d12_what_is_no_state_is_an_error_in_its_own_words() {
    assert_eq!(parse("Can't find backend.\n\n"), Err("Can't find backend.".into()));
    assert_eq!(parse("Permission denied\n"), Err("Permission denied".into()));
    assert!(parse("\n").unwrap_err().contains("empty"));
    assert!(parse("2\n# a\n").unwrap_err().contains("version 2"));
    assert!(parse("1\n").unwrap_err().contains("heading"));
    let short = answer(&[server(0, 1, 1)]).replace("srv_uweight", "weight");
    assert!(parse(&short).unwrap_err().contains("srv_uweight"));
    let torn = answer(&[server(0, 1, 1)]);
    let torn = &torn[..torn.len() - 40];
    assert!(parse(torn).is_err(), "a line that ends too soon: {torn}");
}

#[test]
fn d12_requests_go_to_what_is_ready_and_has_weight() {
    assert!(server(0, 1, 1).receives());
    assert!(server(4, 1, 1).receives(), "it began in maintenance and has left it");
    for away in [1, 2, 8, 16, 32, 64, 5, 9] {
        assert!(!server(away, 1, 1).receives(), "{away}");
    }
    assert!(!server(0, 0, 1).receives());
}

#[test]
fn d12_weights_are_said_so_that_static_algorithms_take_them() {
    assert_eq!(server(0, 0, 100).full(), "100%");
    assert_eq!(server(0, 0, 0).full(), "100", "100% of nothing is nothing");
    assert_eq!(server(0, 0, 100).weight_word(), "0%");
    assert_eq!(server(0, 100, 100).weight_word(), "100%");
    assert_eq!(server(0, 40, 100).weight_word(), "40");
    assert_eq!(
        [0, 8, 5].map(|admin| server(admin, 1, 1).admin_word()),
        ["ready", "drain", "maint"]
    );
}

#[test]
fn d12_no_text_that_was_saved_can_say_another_command() {
    assert_eq!(saved("shop/blue;quit 1 2 0 1 1\n"), None);
    assert_eq!(saved("shop/blue 1 2 0 1\n"), None);
    assert_eq!(saved("green"), None);
    assert_eq!(saved(""), None);
}

#[test]
fn d12_a_refusal_comes_with_what_to_do() {
    for (message, part) in [
        ("Permission denied", "level admin"),
        ("No such backend.", "`backend`"),
        ("Can't find backend.", "`backend`"),
        ("No such server.", "`servers`"),
        ("Backend is using a static LB algorithm and only accepts…", "`weight`"),
        ("Unknown command: 'set'", "master"),
    ] {
        assert!(advice(message).contains(part), "{message}: {}", advice(message));
    }
}

fn any_server() -> impl Strategy<Value = Server> {
    let name = "[A-Za-z0-9_.:-]{1,12}/[A-Za-z0-9_.:-]{1,12}";
    (name, any::<u16>(), 0..4_u32, 0..128_u32, 0..257_u32, 0..257_u32).prop_map(
        |(name, port, state, admin, weight, initial)| Server {
            name,
            port,
            state,
            admin,
            weight,
            initial,
        },
    )
}

proptest! {
    #[test]
    fn d12_what_is_rendered_is_read_as_it_was(
        servers in proptest::collection::vec(any_server(), 1..6)
    ) {
        prop_assert_eq!(parse(&answer(&servers)), Ok(servers.clone()));
        prop_assert_eq!(saved(&save(&servers)), Some(servers));
    }

    #[test]
    fn d12_no_answer_makes_the_reader_stumble(text in "\\PC*") {
        let _ = (parse(&text), parse(&format!("1\n{HEAD}\n{text}")), saved(&text));
    }
}
