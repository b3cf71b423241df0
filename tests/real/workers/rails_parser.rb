# How Active Record reads a database URL: one JSON string a line in, {"ok": words} or {"error": text} a line out.
require 'json'
require 'active_record'
ActiveRecord::Base.name
$stdout.sync = true
puts JSON.generate(version: ActiveRecord.version.to_s)
$stdin.each_line do |line|
  url = JSON.parse(line, quirks_mode: true)
  begin
    words = ActiveRecord::DatabaseConfigurations::ConnectionUrlResolver.new(url).to_hash
    puts JSON.generate(ok: words.transform_keys(&:to_s).transform_values { |value| value.to_s.scrub('�') })
  rescue StandardError => error
    puts JSON.generate(error: "#{error.class}: #{error.message}".scrub)
  end
end
