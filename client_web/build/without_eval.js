// Emscripten's embind makes functions out of text (`new Function`), which our content security policy forbids. The same functions as
// closures, put in the place of the three that do so. The package is pinned; another release fails the build here, not at a person.
/** The text of the package's loader of its WebAssembly without `new Function`. Throws where it is another text than was expected. */
export function withoutEval(text) {
  let changed = once(text, /function createNamedFunction\(name,body\)\{.*?\)\(body\)\}/s, NAMED);
  changed = once(changed, /function craftInvokerFunction\(.*?return invokerFunction\}/s, INVOKER);
  changed = once(changed, /function __emval_get_method_caller\(.*?return returnId\}(?=function __emval_incref)/s, CALLER);
  changed = once(changed, /function new_\(.*?\?r:obj\}/s, "");
  if (/new Function|\beval\(|new_\(/.test(changed)) throw new Error("face_mesh makes functions of text in another place; look at client_web/build/without_eval.js");
  return changed;
}

function once(text, pattern, replacement) {
  const found = text.match(new RegExp(pattern.source, `${pattern.flags}g`)) ?? [];
  if (found.length !== 1) throw new Error(`face_mesh: one match of ${pattern.source} was expected, ${found.length} were found`);
  return text.replace(pattern, () => replacement);
}

const NAMED = `function createNamedFunction(name,body){
  name=makeLegalFunctionName(name);
  return{[name]:function(){return body.apply(this,arguments)}}[name]
}`;

const INVOKER = `function craftInvokerFunction(humanName,argTypes,classType,cppInvokerFunc,cppTargetFunc){
  const isMethod=argTypes[1]!==null&&classType!==null,[returned,own,...taken]=argTypes;
  const stacked=argTypes.some((type,i)=>i>0&&type!==null&&type.destructorFunction===undefined);
  return createNamedFunction(humanName,function(...values){
    if(values.length!==taken.length)throwBindingError("function "+humanName+" called with "+values.length+" arguments, expected "+taken.length+" args!");
    const destructors=stacked?[]:null,wired=isMethod?[own.toWireType(destructors,this)]:[];
    taken.forEach((type,i)=>wired.push(type.toWireType(destructors,values[i])));
    const result=cppInvokerFunc(cppTargetFunc,...wired);
    if(stacked)runDestructors(destructors);
    else(isMethod?[own,...taken]:taken).forEach((type,i)=>{if(type.destructorFunction!==null)type.destructorFunction(wired[i])});
    if(returned.name!=="void")return returned.fromWireType(result)
  })
}`;

const CALLER = `function __emval_get_method_caller(argCount,argTypes){
  const[returned,...taken]=__emval_lookupTypes(argCount,argTypes);
  const signatureName=returned.name+"_$"+taken.map((type)=>type.name).join("_")+"$";
  const known=emval_registeredMethods[signatureName];
  if(known!==undefined)return known;
  const caller=function(handle,name,destructors,args){
    let offset=0;
    const values=taken.map((type)=>{const value=type.readValueFromPointer(args+offset);offset+=type.argPackAdvance;return value});
    const result=handle[name](...values);
    taken.forEach((type,i)=>{if(type.deleteObject)type.deleteObject(values[i])});
    if(!returned.isVoid)return returned.toWireType(destructors,result)
  };
  return emval_registeredMethods[signatureName]=__emval_addMethodCaller(caller)
}`;
