# The worker for Rails' Active Record. One JSON object a line, in and out, as python_clients.py does.
require 'json'
require 'active_record'
require 'pg'
QUESTION = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'
$stdout.sync = true
number = PG.library_version
runtime = { ruby: RUBY_VERSION, libpq: "#{number / 10000}.#{number % 10000}", pg: PG::VERSION }
puts JSON.generate(driver: 'rails', driver_version: ActiveRecord.version.to_s, runtime: runtime)
base = ENV.to_h
$stdin.each_line do |line|
  one = JSON.parse(line)
  ENV.replace(base.merge('HOME' => one['home']).merge(one['env'] || {}))
  begin
    # The words of database.yml's entry; DATABASE_URL is laid over them by the configurations, as an application's are.
    entry = { 'adapter' => 'postgresql' }.merge(one['settings'] || {})
    entry['url'] = one['dsn'] if one['dsn']
    ActiveRecord::Base.configurations = { 'default_env' => entry }
    ActiveRecord::Base.establish_connection(:default_env)
    outcome = ActiveRecord::Base.connection.select_value(QUESTION) ? 'tls' : 'plaintext'
    puts JSON.generate(id: one['id'], outcome: outcome, error: '')
  rescue StandardError => error
    puts JSON.generate(id: one['id'], outcome: 'refused', error: "#{error.class}: #{error.message}".scrub)
  ensure
    ActiveRecord::Base.remove_connection
  end
end
