/** What a runtime does without us. @module */
console.log("started");
