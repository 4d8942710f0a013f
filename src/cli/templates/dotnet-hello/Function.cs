using System;
using Atelier;

public class Function
{
    /// <summary>Answers with an object, which becomes JSON; text, bytes, a stream and a Response work as well.</summary>
    public object Handle(Request request, Context context)
    {
        string name = request.Query("name", "world");
        Console.WriteLine("saying hello to " + name);
        return new { message = "Hello, " + name + "!", version = context.Function["version"] };
    }
}
