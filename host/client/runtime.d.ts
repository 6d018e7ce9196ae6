/** What client parts may find in some runtimes, beyond the web platform: CommonJS's `require`. */
declare const require: ((name: string) => any) | undefined;
