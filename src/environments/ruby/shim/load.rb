# frozen_string_literal: true

module Atelier
  module Shim
    COMMON_NAMES = %i[handler main].freeze
    BUNDLE = "vendor/bundle/bundler/setup.rb"

    # LOAD: prepares the process for one version's code and finds the handler.
    class Loader
      # The file and the function's name, or nil. Raises what names the entry that is wrong.
      def self.parse(directory, entry)
        file, name = entry.split(":", 2)
        file = "#{file}.rb" unless file.end_with?(".rb", ".ru")
        raise LoadError, "The entry names the file #{file}, and the package has no such file." unless File.file?(File.join(directory, file))

        [file, name.to_s.empty? ? nil : name]
      end

      def initialize(spec)
        @spec = spec
        # Without a sandbox there is no /function: the backend says where the bundle is instead.
        @directory = ENV.fetch("ATELIER_DIRECTORY", spec["directory"])
      end

      # What runs a call.
      def handle
        ENV.update(@spec["config"]).update(@spec["secrets"])
        Dir.chdir(@directory)
        $LOAD_PATH.unshift(@directory, File.join(@directory, "lib"))
        file, name = self.class.parse(@directory, @spec["entry"])
        path = File.join(@directory, file)
        setup = File.join(@directory, BUNDLE)
        require setup if File.file?(setup)
        return RackApplication.new(rack(path), @spec) if file.end_with?(".ru")

        plain(file, path, name)
      end

      private

      def rack(path)
        require "rack"
        return Rack::Builder.parse_file(path).then { |app, _| app } if defined?(Rack::Builder)

        RackFile.application(path)
      rescue LoadError => e
        raise unless e.path == "rack"

        RackFile.application(path)
      end

      def plain(file, path, name)
        before = Object.private_instance_methods(false)
        require path
        own = Object.private_instance_methods(false) - before
        name = choose(file, name, own)
        target = Object.new.method(name)
        count = target.arity.negative? ? 2 : [target.arity, 2].min
        lambda do |call|
          result = target.call(*[Request.new(call), Context.new(call, @spec)].first(count))
          call.socket ? call.socket.close : Shim.send_answer(call, result)
        end
      end

      def choose(file, name, own)
        has = own.empty? ? "" : " It has: #{own.first(20).join(", ")}."
        if name
          return name.to_sym if own.include?(name.to_sym)

          raise NameError, "There is no method \"#{name}\" in #{file}.#{has}"
        end
        COMMON_NAMES.find { |common| own.include?(common) } || (own.size == 1 ? own.first : nil) ||
          raise(NameError, "#{file} has no handler: define handler(request, context), or say which, as in #{file}:main.#{has}")
      end
    end
  end
end
