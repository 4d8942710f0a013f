# frozen_string_literal: true

module Atelier
  module Shim
    # Rack applications: Sinatra, Roda, Rails and their kind.
    class RackApplication
      def initialize(application, spec)
        @application = application
        @spec = spec
      end

      def call(call)
        request = Request.new(call)
        status, headers, body = @application.call(environment(request, call))
        parts = body.respond_to?(:to_ary) ? body.to_ary.join : body
        Shim.send_answer(call, Response.new(parts, status: Integer(status), headers: headers.to_h))
      ensure
        body.close if body.respond_to?(:close) && !parts.equal?(body)
      end

      private

      def environment(request, call)
        path, _, query = request.target.partition("?")
        host, port = (request["host"] || "localhost").split(":", 2)
        scheme = request.url.partition(":").first
        all = {
          "REQUEST_METHOD" => request.method, "SCRIPT_NAME" => "", "PATH_INFO" => URI.decode_uri_component(path),
          "QUERY_STRING" => query, "SERVER_NAME" => host, "SERVER_PORT" => port || (scheme == "https" ? "443" : "80"),
          "SERVER_PROTOCOL" => "HTTP/1.1", "HTTP_VERSION" => "HTTP/1.1",
          "REMOTE_ADDR" => (request["x-forwarded-for"] || "127.0.0.1").split(",").first.strip,
          "rack.version" => [1, 6], "rack.url_scheme" => scheme, "rack.input" => StringIO.new(request.body),
          "rack.errors" => $stderr, "rack.multithread" => true, "rack.multiprocess" => true, "rack.run_once" => false,
          "rack.hijack?" => false, "atelier.context" => Context.new(call, @spec)
        }
        request.headers.each do |name, value|
          key = name.upcase.tr("-", "_")
          all[%w[CONTENT_TYPE CONTENT_LENGTH].include?(key) ? key : "HTTP_#{key}"] = value
        end
        all
      end
    end

    # What config.ru may say, where no Rack is among the gems.
    class RackFile
      def self.application(path)
        file = new
        file.instance_eval(File.read(path), path)
        file.to_app
      end

      def initialize
        @middleware = []
        @maps = {}
      end

      def use(middleware, *arguments, **options, &block)
        @middleware << ->(app) { options.empty? ? middleware.new(app, *arguments, &block) : middleware.new(app, *arguments, **options, &block) }
      end

      def run(application = nil, &block)
        @application = application || block
      end

      def map(path, &block)
        @maps[path.chomp("/")] = self.class.new.tap { |inner| inner.instance_eval(&block) }.to_app
      end

      def to_app
        raise "config.ru runs no application: it ends with \"run App\"." if @application.nil? && @maps.empty?

        application = @maps.empty? ? @application : mapped
        @middleware.reverse.inject(application) { |app, wrap| wrap.call(app) }
      end

      private

      def mapped
        maps = @maps.sort_by { |path, _| -path.size }
        other = @application || ->(_) { [404, { "content-type" => "text/plain" }, ["Not found"]] }
        lambda do |env|
          path = env["PATH_INFO"]
          prefix, application = maps.find { |each, _| path == each || path.start_with?("#{each}/") }
          next other.call(env) unless application

          application.call(env.merge("SCRIPT_NAME" => env["SCRIPT_NAME"] + prefix, "PATH_INFO" => path.delete_prefix(prefix)))
        end
      end
    end
  end
end
