# frozen_string_literal: true

# Starts, pauses and stops a container with Ruby's standard library.

require 'base64'
require 'json'
require 'net/http'

# Print one line; end the program at the first failure, with what was seen.
def check(name, truth, *seen)
  puts "#{truth ? 'ok' : 'FAILED'}: #{name} #{seen.map(&:inspect).join(' ') unless truth}".rstrip
  exit 1 unless truth
end

# The calls that control a container.
class Manager
  def initialize(url, user, password)
    @url = url
    @authorization = "Basic #{Base64.strict_encode64("#{user}:#{password}")}"
  end

  # Status and parsed body. Without a body the request still says that it is JSON, as many clients do.
  def call(kind, path, body = nil)
    uri = URI("#{@url}#{path}")
    request = kind.new(uri)
    request['Authorization'] = @authorization
    request['Content-Type'] = 'application/json'
    request.body = JSON.generate(body) if body
    response = Net::HTTP.start(uri.host, uri.port, read_timeout: 60) { |http| http.request(request) }
    [response.code.to_i, JSON.parse(response.body)]
  end

  %w[start stop restart pause unpause].each do |action|
    define_method(action) { |cuid| call(Net::HTTP::Post, "/containers/#{cuid}/#{action}") }
  end
end

manager = Manager.new(ENV.fetch('CM_URL'), ENV.fetch('CM_USER'), ENV.fetch('CM_PASS'))
code, made = manager.call(Net::HTTP::Post, '/containers', image: ENV.fetch('CM_IMAGE'), command: %w[sleep 1000])
check 'create answers 201', code == 201, made
cuid = made['cuid']

begin
  steps = [
    [:start, 200, 'running'], [:start, 200, 'running'], [:pause, 200, 'paused'], [:pause, 200, 'paused'],
    [:start, 422, nil], [:unpause, 200, 'running'], [:restart, 200, 'running'], [:stop, 200, 'exited'],
    [:stop, 200, 'exited'], [:pause, 422, nil], [:start, 200, 'running']
  ]
  before = 'created'
  steps.each do |action, expected, status|
    code, answer = manager.public_send(action, cuid)
    check "#{action} of a #{before} one answers #{expected}", code == expected, code, answer
    if expected == 200
      check "it is #{status} then", answer['status'] == status, answer
      check 'changed tells whether it was not before', answer['changed'] == (before != status || action == :restart), answer
      before = status
    else
      check 'a step that this state lacks is a state_error', answer['error'] == 'state_error', answer
    end
  end
  code, answer = manager.call(Net::HTTP::Delete, "/containers/#{cuid}")
  check 'a running one is not deleted by accident', [code, answer['code']] == [422, 'CONTAINER_RUNNING'], answer
ensure
  code, answer = manager.call(Net::HTTP::Delete, "/containers/#{cuid}?force=true")
  check 'force deletes it', [code, answer['deleted']] == [200, true], answer
end

code, answer = manager.start('c123e4567-e89b-12d3-a456-426614174000')
check 'an unknown container is 404', [code, answer['error']] == [404, 'not_found'], answer
