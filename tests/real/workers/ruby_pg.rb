# The worker for Ruby's pg. One JSON object a line, in and out, as python_clients.py does.
require 'json'
require 'pg'
QUESTION = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'
$stdout.sync = true
number = PG.library_version
libpq = "#{number / 10000}.#{number % 10000}"
puts JSON.generate(driver: 'ruby-pg', driver_version: PG::VERSION, runtime: { ruby: RUBY_VERSION, libpq: libpq })
base = ENV.to_h
$stdin.each_line do |line|
  one = JSON.parse(line)
  ENV.replace(base.merge('HOME' => one['home']).merge(one['env'] || {}))
  begin
    connection = one['dsn'] ? PG.connect(one['dsn']) : PG.connect(one['settings'])
    outcome = connection.exec(QUESTION).getvalue(0, 0) == 't' ? 'tls' : 'plaintext'
    connection.close
    puts JSON.generate(id: one['id'], outcome: outcome, error: '')
  rescue StandardError => error
    puts JSON.generate(id: one['id'], outcome: 'refused', error: "#{error.class}: #{error.message}".scrub)
  end
end
