# The worker for Perl's DBD::Pg. One JSON object a line, in and out, as python_clients.py does.
use strict;
use warnings;
use DBI;
use DBD::Pg;
use JSON::PP;
$| = 1;
my $question = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
my $number = DBD::Pg->can('driver') ? do { require DBI; my $d = DBI->install_driver('Pg'); $d->{pg_lib_version} // 0 } : 0;
my %runtime = (perl => sprintf('%vd', $^V));
$runtime{libpq} = int($number / 10000) . '.' . ($number % 10000) if $number;
print encode_json({ driver => 'dbd-pg', driver_version => "$DBD::Pg::VERSION", runtime => \%runtime }), "\n";
my %base = %ENV;
while (my $line = <STDIN>) {
    my $case = decode_json($line);
    %ENV = (%base, HOME => $case->{home}, %{ $case->{env} || {} });
    my %answer = (id => $case->{id}, outcome => 'refused', error => '');
    my $handle = DBI->connect($case->{dsn}, $case->{settings}{user}, '', { RaiseError => 0, PrintError => 0 });
    if ($handle) {
        $answer{outcome} = $handle->selectrow_array($question) ? 'tls' : 'plaintext';
        $handle->disconnect;
    } else {
        $answer{error} = DBI->errstr;
    }
    print encode_json(\%answer), "\n";
}
