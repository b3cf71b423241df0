%% Erlang's ssl as Postgrex uses it: one case a line (host, port, user, database, root file or "none", by tabs), one answer a line.
-mode(compile).

main(_) ->
    {ok, _} = application:ensure_all_started(ssl),
    logger:set_primary_config(level, none),
    io:format("~s~n", [erlang:system_info(otp_release)]),
    loop().

loop() ->
    case io:get_line("") of
        eof -> ok;
        Line ->
            [Host, Port, User, Database, Root] = string:split(string:trim(Line), "\t", all),
            Answer = try ask(Host, list_to_integer(Port), User, Database, Root) catch _:Why -> {error, Why} end,
            case Answer of
                ok -> io:format("tls\t~n");
                {error, Reason} -> io:format("refused\t~0p~n", [Reason])
            end,
            ssl:clear_pem_cache(),
            loop()
    end.

ask(Host, Port, User, Database, Root) ->
    {ok, Plain} = gen_tcp:connect("127.0.0.1", Port, [binary, {active, false}], 5000),
    ok = gen_tcp:send(Plain, <<8:32, 80877103:32>>),
    case gen_tcp:recv(Plain, 1, 5000) of
        {ok, <<"S">>} ->
            case ssl:connect(Plain, options(Host, Root), 5000) of
                {ok, Tls} -> login(Tls, User, Database);
                {error, Reason} -> {error, Reason}
            end;
        {ok, <<"N">>} -> {error, ssl_not_available};
        Other -> Other
    end.

options(_, "none") -> [{verify, verify_none}];
options(Host, Root) ->
    Match = public_key:pkix_verify_hostname_match_fun(https),
    [{verify, verify_peer}, {cacertfile, Root}, {server_name_indication, Host}, {customize_hostname_check, [{match_fun, Match}]}].

login(Tls, User, Database) ->
    Body = iolist_to_binary([<<196608:32>>, "user", 0, User, 0, "database", 0, Database, 0, 0]),
    ok = ssl:send(Tls, [<<(byte_size(Body) + 4):32>>, Body]),
    case ssl:recv(Tls, 1, 5000) of
        {ok, <<"R">>} -> ok;
        {ok, <<"E">>} -> {error, rejected};
        {error, Reason} -> {error, Reason}
    end.
